import type { ClientError } from "../client-error.ts";
import { isGap, type Item } from "./item.ts";

/** Whose messages wait here. */
interface Owner {
  /** Called for every item at the moment it is handed over, `isLast` when none waits behind it; gaps are handed over by this alone. */
  handOver(item: Item, isLast: boolean): void;
  /** Nothing more is wanted: it ends this without an error, be it once more. */
  end(): void;
}

/** Keeps what arrives while an iteration is busy. What is kept when it ends with an error is still handed over, and then the error. */
export class Inbox<Value> implements AsyncIterator<Value, undefined> {
  readonly #owner: Owner;
  readonly #capacity: number;
  readonly #items: Item[] = [];
  readonly #takers: PromiseWithResolvers<IteratorResult<Value, undefined>>[] = [];
  #isEnded = false;
  #error: ClientError | undefined;

  /** At the most `capacity` items wait. */
  constructor(owner: Owner, capacity: number) {
    this.#owner = owner;
    this.#capacity = capacity;
  }

  /** Whether there was room for the item. */
  take(item: Item): boolean {
    if (this.#items.length >= this.#capacity) return false;
    this.#items.push(item);
    this.#serve();
    return true;
  }

  /** Without an error nothing more is handed over. */
  end(error: ClientError | undefined): void {
    this.#isEnded = true;
    this.#error = error;
    if (!error) this.#items.length = 0;
    this.#serve();
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    const taker = Promise.withResolvers<IteratorResult<Value, undefined>>();
    this.#takers.push(taker);
    this.#serve();
    return taker.promise;
  }

  async return(): Promise<IteratorResult<Value, undefined>> {
    this.#owner.end();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<never> {
    this.#owner.end();
    throw error;
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const item = this.#items.shift();
      if (item) {
        // The receiver of a gap may close the subscription: what is left is looked at again.
        this.#owner.handOver(item, this.#items.length === 0);
        // What Value is, the caller says: JSON has no types.
        if (!isGap(item)) this.#takers.shift()?.resolve({ done: false, value: item as Value });
      } else if (this.#isEnded) {
        const taker = this.#takers.shift();
        if (this.#error) taker?.reject(this.#error);
        else taker?.resolve({ done: true, value: undefined });
        this.#error = undefined;
      } else {
        return;
      }
    }
  }
}
