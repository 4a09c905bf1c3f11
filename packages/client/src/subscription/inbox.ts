import type { ClientError } from "../client-error.ts";
import { isGap, type Item, type Message } from "./message.ts";

/** Whose messages wait here. */
interface Owner {
  /** Called for every item at the moment it is handed over; gaps are handed over by this alone. */
  handOver(item: Item<unknown>): void;
  end(): void;
}

/** Keeps what arrives while an iteration is busy. What is kept when it ends with an error is still handed over, and then the error. */
export class Inbox<Data> implements AsyncIterator<Message<Data>, undefined> {
  readonly #owner: Owner;
  readonly #capacity: number;
  readonly #items: Item<Data>[] = [];
  readonly #takers: PromiseWithResolvers<IteratorResult<Message<Data>, undefined>>[] = [];
  #isEnded = false;
  #error: ClientError | undefined;

  /** At the most `capacity` items wait. */
  constructor(owner: Owner, capacity: number) {
    this.#owner = owner;
    this.#capacity = capacity;
  }

  /** Whether there was room for the item. */
  take(item: Item<Data>): boolean {
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

  next(): Promise<IteratorResult<Message<Data>, undefined>> {
    const taker = Promise.withResolvers<IteratorResult<Message<Data>, undefined>>();
    this.#takers.push(taker);
    this.#serve();
    return taker.promise;
  }

  async return(): Promise<IteratorResult<Message<Data>, undefined>> {
    this.#owner.end();
    return { done: true, value: undefined };
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const item = this.#items.shift();
      if (item) {
        // The receiver of a gap may close the subscription: what is left is looked at again.
        this.#owner.handOver(item);
        if (!isGap(item)) this.#takers.shift()?.resolve({ done: false, value: item });
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
