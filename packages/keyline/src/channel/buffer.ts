import type { Gap, Message } from "./message.ts";
import type { WhenFull } from "./options.ts";

export type Item<Data> = { readonly message: Message<Data> } | { readonly gap: Gap };

/** What waits for one receiver: at most `size` messages, and gaps in their places between them. */
export interface ReceiverBuffer<Data> {
  /** Messages that it has room for. */
  readonly room: number;
  readonly isEmpty: boolean;
  /** False when there is no room, and the policy is to close. */
  push(message: Message<Data>): boolean;
  pushGap(gap: Gap): void;
  shift(): Item<Data> | undefined;
}

export function createBuffer<Data>(
  whenFull: WhenFull,
  { size, key = () => "" }: { readonly size: number; readonly key: ((message: Message) => string) | undefined },
): ReceiverBuffer<Data> {
  return whenFull === "latest" ? new LatestBuffer(size, key) : new QueueBuffer(size, whenFull === "drop-oldest");
}

/** First in, first out. */
class QueueBuffer<Data> implements ReceiverBuffer<Data> {
  readonly #size: number;
  readonly #dropsOldest: boolean;
  /** Gaps that come before everything else: what was dropped, and gaps that stood before it. */
  #front: Gap[] = [];
  #items: Item<Data>[] = [];
  #head = 0;
  #messages = 0;

  constructor(size: number, dropsOldest: boolean) {
    this.#size = size;
    this.#dropsOldest = dropsOldest;
  }

  get room(): number {
    return this.#size - this.#messages;
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length && this.#front.length === 0;
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
      return;
    }
  }
}

/** The newest message of each key, in the order in which they were published. */
class LatestBuffer<Data> implements ReceiverBuffer<Data> {
  readonly #size: number;
  readonly #keyOf: (message: Message) => string;
  readonly #gaps: Gap[] = [];
  readonly #messages = new Map<string, Message<Data>>();
  #dropped = 0;
  #channel = "";

  constructor(size: number, keyOf: (message: Message) => string) {
    this.#size = size;
    this.#keyOf = keyOf;
  }

  get room(): number {
    return this.#size - this.#messages.size;
  }

  get isEmpty(): boolean {
    return this.#messages.size === 0 && this.#gaps.length === 0;
  }

  push(message: Message<Data>): boolean {
    const key = this.#keyOf(message);
    // Behind the others, so that cursors only ever grow.
    this.#messages.delete(key);
    if (this.#messages.size === this.#size) {
      for (const oldest of this.#messages.keys()) {
        this.#messages.delete(oldest);
        break;
      }
      this.#dropped++;
      this.#channel = message.channel;
    }
    this.#messages.set(key, message);
    return true;
  }

  /** Gaps come first: of the messages that wait, only the newest state matters. */
  pushGap(gap: Gap): void {
    this.#gaps.push(gap);
  }

  shift(): Item<Data> | undefined {
    const gap = this.#gaps.shift();
    if (gap) return { gap };
    if (this.#dropped > 0) {
      const missed = this.#dropped;
      this.#dropped = 0;
      return { gap: { channel: this.#channel, reason: "dropped", missed, cursor: undefined } };
    }
    for (const [key, message] of this.#messages) {
      this.#messages.delete(key);
      return { message };
    }
    return undefined;
  }
}
