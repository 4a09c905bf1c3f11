import { setTimeout as wait } from "node:timers/promises";

/** Asks a store, and waits for its answer only so long. */
export class Patience<Answer> {
  readonly #patienceMs: number;
  readonly #question: () => Promise<Answer>;
  #asking: Promise<Answer | undefined> | undefined;

  constructor(patienceMs: number, question: () => Promise<Answer>) {
    this.#patienceMs = patienceMs;
    this.#question = question;
  }

  /** Undefined when the store refuses or does not answer in time. */
  async ask(): Promise<Answer | undefined> {
    // One question at a time: to a store that is away they would pile up.
    this.#asking ??= this.#question()
      .catch(() => undefined)
      .finally(() => (this.#asking = undefined));
    const giveUp = new AbortController();
    try {
      return await Promise.race([this.#asking, wait(this.#patienceMs, undefined, { signal: giveUp.signal })]);
    } finally {
      giveUp.abort();
    }
  }
}
