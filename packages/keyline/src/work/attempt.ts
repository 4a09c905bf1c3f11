/** One try at a unit of work: what its handler is called with. */
export abstract class Attempt {
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;

  /**
   * Aborted when going on is pointless: the attempt's time is up (TIMEOUT), what it works on was given to somebody else (LEASE_LOST), the job was
   * cancelled (JOB_CANCELLED), or its worker or consumer stops without waiting any longer (STOPPED). Its `reason` is a KeylineError of that code.
   */
  get signal(): AbortSignal {
    // Made when it is asked for: most handlers never do.
    this.#abort ??= new AbortController();
    if (this.#abortReason) this.#abort.abort(this.#abortReason);
    return this.#abort.signal;
  }

  /** @internal */
  abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.#abort?.abort(this.#abortReason);
  }

  /** @internal */
  get abortReason(): Error | undefined {
    return this.#abortReason;
  }
}
