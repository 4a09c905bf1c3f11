/** One attempt at a unit of work, as its handler gets it. */
export class Job<Data> {
  /** Unique within its queue; the caller's own or a new one. */
  readonly id: string;
  readonly queue: string;
  readonly data: Data;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** When it was added, in milliseconds since 1970. */
  readonly addedAt: number;
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;

  /** @internal */
  constructor(fields: {
    readonly id: string;
    readonly queue: string;
    readonly data: Data;
    readonly attempt: number;
    readonly addedAt: number;
  }) {
    this.id = fields.id;
    this.queue = fields.queue;
    this.data = fields.data;
    this.attempt = fields.attempt;
    this.addedAt = fields.addedAt;
  }

  /**
   * Aborted when going on is pointless: the attempt's time is up (TIMEOUT), the job was given to somebody else (LEASE_LOST), or the
   * worker stops without waiting any longer (STOPPED). Its `reason` is a KeylineError of that code.
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
