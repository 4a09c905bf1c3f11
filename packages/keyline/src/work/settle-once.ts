import { KeylineError } from "../runtime/errors.ts";
import { outcomeOf, type Outcome } from "./outcome.ts";

export interface SettleOnceSetup<Effects> {
  /** As in "job 17 of queue orders". */
  readonly name: string;
  /** Commits the end together with the effects. False when it was settled before; throws LEASE_LOST when it is somebody else's now. */
  commit(effects: Effects): Promise<boolean>;
  /** Why this attempt's effects were left out, where it was settled before. */
  settledElsewhere(): Outcome;
}

/** The settle of one attempt, which can be called once, and what it came to. */
export class SettleOnce<Effects> {
  readonly #setup: SettleOnceSetup<Effects>;
  #result: Promise<boolean> | undefined;

  constructor(setup: SettleOnceSetup<Effects>) {
    this.#setup = setup;
  }

  get isCalled(): boolean {
    return this.#result !== undefined;
  }

  /** What the handler calls. */
  readonly settle = (effects: Effects): Promise<boolean> => {
    if (this.#result) {
      return Promise.reject(
        new KeylineError("ALREADY_SETTLED", `settle was called twice for ${this.#setup.name}: put all effects into one call`),
      );
    }
    this.#result = this.#setup.commit(effects);
    // Its end counts also for a handler that does not wait for it.
    this.#result.catch(() => undefined);
    return this.#result;
  };

  /** The outcome where settle was called; undefined where it was not. Waits for a settle that is under way. */
  async outcome(): Promise<Outcome | undefined> {
    if (!this.#result) return undefined;
    try {
      return (await this.#result) ? { kind: "settled" } : this.#setup.settledElsewhere();
    } catch (error) {
      if (error instanceof KeylineError && (error.code === "LEASE_LOST" || error.code === "JOB_CANCELLED")) return { kind: "lost", error };
      return outcomeOf(error);
    }
  }
}
