import type { Gap, Message } from "./message.ts";
import type { WhenFull } from "./options.ts";

export type Item<Data> = { readonly message: Message<Data> } | { readonly gap: Gap };

/** What waits for one receiver: at most `size` messages, and gaps in their places between them. */
export interface ReceiverBuffer<Data> {
  /** Messages that it has room for. */
  readonly room: number;
  readonly isEmpty: boolean;
  readonly isHalfEmpty: boolean;
  /** False when there is no room, and the policy is to close. */
  push(message: Message<Data>): boolean;
  pushGap(gap: Gap): void;
  shift(): Item<Data> | undefined;
}

interface BufferSetup {
  readonly size: number;
  readonly key: (message: Message) => string;
  /** A message was dropped, as there was no room. */
  readonly onDropped: () => void;
}

export function createBuffer<Data>(whenFull: WhenFull, setup: BufferSetup): ReceiverBuffer<Data> {
  return whenFull === "latest" ? new LatestBuffer(setup) : new QueueBuffer(setup, whenFull === "drop-oldest");
}

/** First in, first out. */
class QueueBuffer<Data> implements ReceiverBuffer<Data> {
  readonly #size: number;
  readonly #dropsOldest: boolean;
  readonly #onDropped: () => void;
  /** Gaps that come before everything else: what was dropped, and gaps that stood before it. */
  #front: Gap[] = [];
  #items: Item<Data>[] = [];
  #head = 0;
  #messages = 0;

  constructor({ size, onDropped }: BufferSetup, dropsOldest: boolean) {
    this.#size = size;
    this.#onDropped = onDropped;
    this.#dropsOldest = dropsOldest;
  }

  get room(): number {
    return this.#size - this.#messages;
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length && this.#front.length === 0;
  }

  get isHalfEmpty(): boolean {
    return this.#messages * 2 <= this.#size;
  }

  push(message: Message<Data>): boolean {
    if (this.#messages === this.#size) {
      if (!this.#dropsOldest) return false;
      this.#dropOldest();
    }
    this.#items.push({ message });
    this.#messages++;
    return true;
  }

  pushGap(gap: Gap): void {
    this.#items.push({ gap });
  }

  shift(): Item<Data> | undefined {
    const gap = this.#front.shift();
    return gap ? { gap } : this.#shiftItem();
  }

  #shiftItem(): Item<Data> | undefined {
    const item = this.#items[this.#head];
    if (!item) return undefined;
    this.#head++;
    if ("message" in item) this.#messages--;
    // Moving what is left costs no more than having put it there did.
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  #dropOldest(): void {
    for (let item = this.#shiftItem(); item; item = this.#shiftItem()) {
      if ("gap" in item) {
        this.#front.push(item.gap);
        continue;
      }
      const { channel } = item.message;
      const before = this.#front.at(-1)?.reason === "dropped" ? this.#front.pop() : undefined;
      this.#front.push({ channel, reason: "dropped", missed: (before?.missed ?? 0) + 1, cursor: undefined });
      this.#onDropped();
      return;
    }
  }
}

/** The newest message of each key, in the order in which they were published, with gaps in their places between them. */
class LatestBuffer<Data> implements ReceiverBuffer<Data> {
  readonly #size: number;
  readonly #keyOf: (message: Message) => string;
  readonly #onDropped: () => void;
  /** A gap has a key that no message has. */
  readonly #items = new Map<string | symbol, Item<Data>>();
  #messages = 0;
  #dropped: Gap | undefined;

  constructor({ size, key, onDropped }: BufferSetup) {
    this.#size = size;
    this.#keyOf = key;
    this.#onDropped = onDropped;
  }

  get room(): number {
    return this.#size - this.#messages;
  }

  get isEmpty(): boolean {
    return this.#items.size === 0 && !this.#dropped;
  }

  get isHalfEmpty(): boolean {
    return this.#messages * 2 <= this.#size;
  }

  push(message: Message<Data>): boolean {
    const key = this.#keyOf(message);
    // Behind the others, so that cursors only ever grow.
    if (this.#items.delete(key)) this.#messages--;
    if (this.#messages === this.#size) this.#dropOldest();
    this.#items.set(key, { message });
    this.#messages++;
    return true;
  }

  pushGap(gap: Gap): void {
    this.#items.set(Symbol(gap.reason), { gap });
  }

  shift(): Item<Data> | undefined {
    if (this.#dropped) {
      const gap = this.#dropped;
      this.#dropped = undefined;
      return { gap };
    }
    for (const [key, item] of this.#items) {
      this.#items.delete(key);
      if ("message" in item) this.#messages--;
      return item;
    }
    return undefined;
  }

  #dropOldest(): void {
    for (const [key, item] of this.#items) {
      if ("gap" in item) continue;
      this.#items.delete(key);
      this.#messages--;
      const { channel } = item.message;
      this.#dropped = { channel, reason: "dropped", missed: (this.#dropped?.missed ?? 0) + 1, cursor: undefined };
      this.#onDropped();
      return;
    }
  }
}
