type Result<Value> = IteratorResult<Value, undefined>;

/**
 * The next values, in order; undefined when there are no more. When `signal` is aborted nobody waits for the answer any longer: it stops, and
 * what it returns is dropped.
 */
export type NextPage<Value> = (signal: AbortSignal) => Promise<readonly Value[] | undefined>;

/** The source of an iteration that reads page by page: a page is asked for when somebody waits for what is in it. */
export class PagedSource<Value> {
  readonly #read: NextPage<Value>;
  readonly #signals: readonly AbortSignal[];
  readonly #reading = new AbortController();
  readonly #waiting: PromiseWithResolvers<Result<Value>>[] = [];
  #page: readonly Value[] = [];
  #place = 0;
  #hasBegun = false;
  #isClosed = false;

  /** Any of `signals` closes it. */
  constructor(read: NextPage<Value>, signals: readonly AbortSignal[] = []) {
    this.#read = read;
    this.#signals = signals;
  }

  next(): Promise<Result<Value>> {
    this.#begin();
    if (this.#isClosed) return Promise.resolve({ done: true, value: undefined });
    if (this.#place < this.#page.length) return Promise.resolve({ done: false, value: this.#take() });
    const waiting = Promise.withResolvers<Result<Value>>();
    if (this.#waiting.push(waiting) === 1) void this.#serve();
    return waiting.promise;
  }

  readonly close = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#page = [];
    for (const signal of this.#signals) signal.removeEventListener("abort", this.close);
    this.#reading.abort();
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  };

  // Not before: one that nobody iterates leaves nothing behind.
  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (this.#signals.some((signal) => signal.aborted)) this.close();
    else for (const signal of this.#signals) signal.addEventListener("abort", this.close);
  }

  async #serve(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const page = await this.#read(this.#reading.signal);
        if (this.#isClosed) return;
        if (!page) return this.close();
        this.#page = page;
        this.#place = 0;
        while (this.#place < page.length && this.#waiting.length > 0) this.#waiting.shift()?.resolve({ done: false, value: this.#take() });
      }
    } catch (error) {
      if (this.#isClosed) return;
      this.#waiting.shift()?.reject(error);
      this.close();
    }
  }

  #take(): Value {
    return this.#page[this.#place++] as Value;
  }
}
