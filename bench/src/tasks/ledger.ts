const silenceLimitMs = 20_000;

/** Keeps account of what was delivered, by the number that every job carries. */
export class Ledger {
  readonly #seen: Uint8Array;
  readonly #from: number;
  #distinct = 0;
  #deliveries = 0;
  #awaited = Infinity;
  #reached: () => void = () => {};

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
    if (++this.#distinct === this.#awaited) this.#reached();
  }

  /** Resolves when that many distinct jobs were delivered; rejects when none has come for 20 seconds. */
  async reach(distinct: number): Promise<void> {
    if (this.#distinct >= distinct) return;
    let before = -1;
    let watchdog: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#awaited = distinct;
        this.#reached = resolve;
        watchdog = setInterval(() => {
          if (this.#deliveries === before) {
            reject(new Error(`${this.#distinct} of ${distinct} jobs were delivered, then nothing for 20 s.`));
          }
          before = this.#deliveries;
        }, silenceLimitMs);
      });
    } finally {
      clearInterval(watchdog);
    }
  }
}
