import type { Transaction } from "../../postgres/client/options.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { isThenable, outcomeOf, withTimeout, type Outcome } from "../../work/outcome.ts";
import type { EntryAttempt } from "./entry-attempt.ts";
import type { HeldEntry } from "./held-entry.ts";

/** An entry that is being run. */
export interface RunningEntry<Data> {
  readonly held: HeldEntry<Data>;
  readonly entry: EntryAttempt<Data>;
}

/**
 * Commits the end of the entry together with what `effects` writes, in one short transaction. Resolves to true when this call did it,
 * to false when the entry was settled before: then `effects` was not called, or what it wrote was rolled back. Throws what
 * `effects` throws, LEASE_LOST when the entry was given to somebody else, and NOT_TRANSACTIONAL on a plain stream.
 *
 * `effects` may be called again after a conflict or a lost connection, so it should only write through `tx`. Settles of the same
 * moment may share a transaction, one after the other: what is set with SET LOCAL there can be seen by the next.
 */
export type SettleEntry = (effects: (tx: Transaction) => Promise<void>) => Promise<boolean>;

interface ConsumeContext {
  readonly settle: SettleEntry;
}

export type ConsumeHandler<Data> = (entry: EntryAttempt<Data>, context: ConsumeContext) => unknown;

/** The settle of one attempt. */
export interface EntrySettle extends ConsumeContext {
  /** The outcome where settle was called; undefined where it was not. Waits for a settle that is under way. */
  outcome(): Promise<Outcome | undefined>;
}

export interface RunnerSetup<Data> {
  readonly handler: ConsumeHandler<Data>;
  readonly timeoutMs: number | undefined;
  /** Undefined on a plain stream. */
  readonly createSettle: ((running: RunningEntry<Data>) => EntrySettle) | undefined;
}

function refuseSettle(): Promise<never> {
  const message = "This stream is not transactional: make it with { transactional: true } to settle effects with its entries";
  return Promise.reject(new KeylineError("NOT_TRANSACTIONAL", message));
}

const noSettle: ConsumeContext = { settle: refuseSettle };
const completed: Outcome = { kind: "completed" };

/** Calls the handler and says how each attempt ended. */
export class Runner<Data> {
  readonly #setup: RunnerSetup<Data>;

  constructor(setup: RunnerSetup<Data>) {
    this.#setup = setup;
  }

  run(running: RunningEntry<Data>, finish: (running: RunningEntry<Data>, outcome: Outcome) => void): void {
    const { createSettle, timeoutMs } = this.#setup;
    if (createSettle || timeoutMs !== undefined) void this.#runWatched(running, createSettle?.(running), finish);
    else this.#runPlain(running, finish);
  }

  // The hot path: no timer, and no promise but the handler's own.
  #runPlain(running: RunningEntry<Data>, finish: (running: RunningEntry<Data>, outcome: Outcome) => void): void {
    let result: unknown;
    try {
      result = this.#setup.handler(running.entry, noSettle);
    } catch (error) {
      return finish(running, outcomeOf(error));
    }
    if (isThenable(result)) {
      // Of a promise that is none of the language's anything may be expected, also that its `then` throws.
      (result instanceof Promise ? result : Promise.resolve(result)).then(
        () => finish(running, completed),
        (error: unknown) => finish(running, outcomeOf(error)),
      );
    } else {
      finish(running, completed);
    }
  }

  async #runWatched(
    running: RunningEntry<Data>,
    settle: EntrySettle | undefined,
    finish: (running: RunningEntry<Data>, outcome: Outcome) => void,
  ): Promise<void> {
    const { handler, timeoutMs } = this.#setup;
    const outcome = await withTimeout(
      () => handler(running.entry, settle ?? noSettle),
      (reason) => running.entry.abort(reason),
      timeoutMs,
    );
    // What the settle came to counts, also for a handler that caught its error or threw after it.
    finish(running, (await settle?.outcome()) ?? outcome);
  }
}
