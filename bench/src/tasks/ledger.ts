const silenceLimitMs = 20_000;

/** Keeps account of what was delivered, by the number that every job carries. */
export class Ledger {
  readonly #seen: Uint8Array;
  readonly #from: number;
  #distinct = 0;
  #deliveries = 0;
  #resolve: () => void = () => {};

  /** Expects the numbers `from` (included) to `to` (not included). */
  constructor(from: number, to: number) {
    this.#from = from;
    this.#seen = new Uint8Array(to - from);
  }

  get distinct(): number {
    return this.#distinct;
  }

  /** Deliveries of jobs that had been delivered before. */
  get repeated(): number {
    return this.#deliveries - this.#distinct;
  }

  record(seq: number): void {
    const index = seq - this.#from;
    const count = this.#seen[index];
    if (count === undefined) throw new Error(`Job ${seq} was never added.`);
    this.#deliveries++;
    if (count > 0) return;
    this.#seen[index] = 1;
    if (++this.#distinct === this.#seen.length) this.#resolve();
  }

  /** Resolves when every expected job was delivered; rejects when none has come for 20 seconds. */
  async complete(): Promise<void> {
    if (this.#distinct === this.#seen.length) return;
    const { promise, resolve, reject } = withResolvers();
    this.#resolve = resolve;
    let before = this.#deliveries;
    const watchdog = setInterval(() => {
      if (this.#deliveries === before) {
        reject(new Error(`${this.#distinct} of ${this.#seen.length} jobs were delivered, then nothing for 20 s.`));
      }
      before = this.#deliveries;
    }, silenceLimitMs);
    try {
      await promise;
    } finally {
      clearInterval(watchdog);
    }
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (reason: Error) => void } {
  let resolve: () => void = () => {};
  let reject: (reason: Error) => void = () => {};
  const promise = new Promise<void>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}
