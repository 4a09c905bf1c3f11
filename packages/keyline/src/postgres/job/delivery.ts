/** Jobs that were added together, on their way to Valkey. */
export class Delivery {
  readonly #end: (epoch: string | undefined) => void;
  readonly #epochs = new Set<string | undefined>();
  #left: number;

  /** Calls `end` when all of them were pushed: with their epoch, or without one where some were not, or not all to the same. */
  constructor(count: number, end: (epoch: string | undefined) => void) {
    this.#left = count;
    this.#end = end;
  }

  /** One of them was pushed; without an epoch, nothing is known of it. */
  notePushed(epoch: string | undefined): void {
    this.#epochs.add(epoch);
    if (--this.#left > 0) return;
    const [first] = this.#epochs;
    this.#end(this.#epochs.size === 1 ? first : undefined);
  }
}
