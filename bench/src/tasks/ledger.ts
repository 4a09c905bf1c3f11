import { Progress } from "./progress.ts";

/** Keeps account of what was delivered, by the number that every job carries. */
export class Ledger {
  readonly #seen: Uint8Array;
  readonly #from: number;
  readonly #distinct = new Progress();
  #deliveries = 0;

  /** Expects the numbers `from` (included) to `to` (not included). */
  constructor(from: number, to: number) {
    this.#from = from;
    this.#seen = new Uint8Array(to - from);
  }

  get distinct(): number {
    return this.#distinct.value;
  }

  /** Deliveries of jobs that had been delivered before. */
  get repeated(): number {
    return this.#deliveries - this.distinct;
  }

  record(seq: number): void {
    const index = seq - this.#from;
    const count = this.#seen[index];
    if (count === undefined) throw new Error(`Job ${seq} was never added.`);
    this.#deliveries++;
    if (count > 0) return;
    this.#seen[index] = 1;
    this.#distinct.value++;
  }

  /** Resolves when that many distinct jobs were delivered. */
  reach(distinct: number): Promise<void> {
    return this.#distinct.reach(distinct, "jobs were delivered");
  }
}
