import type { Position } from "../valkey/channel/channel-log.ts";
import type { Message } from "./message.ts";

const maxMessages = 1_000;
const maxLength = 1_048_576;

/**
 * The newest messages of a channel with history, without a hole: whoever was away for a moment is served from here, without a
 * question to Valkey.
 */
export class Window<Data> {
  #messages: (Message<Data> | undefined)[] = [];
  #lengths: number[] = [];
  #head = 0;
  #length = 0;
  #epoch = "";
  #era = "";
  /** The number of the message before the first one here. */
  #start = 0;

  /** Begins anew, behind `position`. */
  reset({ epoch, era, count }: Position): void {
    this.#messages = [];
    this.#lengths = [];
    this.#head = 0;
    this.#length = 0;
    this.#epoch = epoch;
    this.#era = era;
    this.#start = count;
  }

  /** Adds the next message; undefined for one that was passed over and leaves no hole. `length` is that of its text. */
  push(message: Message<Data> | undefined, length: number): void {
    this.#messages.push(message);
    this.#lengths.push(length);
    this.#length += length;
    while (this.#messages.length - this.#head > maxMessages || this.#length > maxLength) {
      this.#length -= this.#lengths[this.#head] ?? 0;
      this.#messages[this.#head] = undefined;
      this.#head++;
      this.#start++;
    }
    if (this.#head > maxMessages) {
      this.#messages = this.#messages.slice(this.#head);
      this.#lengths = this.#lengths.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Adds older messages in front, newest first, as long as they join on and there is room: for others who come back from as far. */
  extend(older: Iterable<{ readonly message: Message<Data> | undefined; readonly count: number; readonly length: number }>): void {
    const messages: (Message<Data> | undefined)[] = [];
    const lengths: number[] = [];
    const kept = this.#messages.length - this.#head;
    for (const { message, count, length } of older) {
      if (count > this.#start - messages.length) continue;
      const isNext = count === this.#start - messages.length && count > 0;
      if (!isNext || kept + messages.length === maxMessages || this.#length + length > maxLength) break;
      messages.push(message);
      lengths.push(length);
      this.#length += length;
    }
    if (messages.length === 0) return;
    this.#start -= messages.length;
    this.#messages = [...messages.toReversed(), ...this.#messages.slice(this.#head)];
    this.#lengths = [...lengths.toReversed(), ...this.#lengths.slice(this.#head)];
    this.#head = 0;
  }

  /** True when everything after `position` is here. */
  reachesBackTo({ epoch, era, count }: Position): boolean {
    return epoch === this.#epoch && era === this.#era && count >= this.#start;
  }

  /** The messages with numbers above `count`. */
  *after(count: number): Generator<{ readonly message: Message<Data> | undefined; readonly count: number }> {
    for (let index = this.#head + count - this.#start; index < this.#messages.length; index++) {
      yield { message: this.#messages[index], count: this.#start + (index - this.#head) + 1 };
    }
  }
}
