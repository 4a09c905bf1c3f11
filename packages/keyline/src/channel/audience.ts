import type { Gap, Message } from "./message.ts";
import type { Receiver } from "./receiver.ts";

/** The receivers in this process that follow a channel live. */
export class Audience<Data> {
  // Replaced at every change, so that one who joins or leaves while a message is handed out does not disturb the round.
  #receivers: readonly Receiver<Data>[] = [];

  get isEmpty(): boolean {
    return this.#receivers.length === 0;
  }

  add(receiver: Receiver<Data>): void {
    this.#receivers = [...this.#receivers, receiver];
  }

  delete(receiver: Receiver<Data>): void {
    this.#receivers = this.#receivers.filter((other) => other !== receiver);
  }

  /** `count` is the message's number, where it has one. */
  offer(message: Message<Data>, count = Number.MAX_SAFE_INTEGER): void {
    for (const receiver of this.#receivers) {
      if (count > receiver.skipTo) receiver.offer(message);
    }
  }

  offerGap(gap: Gap): void {
    for (const receiver of this.#receivers) {
      // The numbers of another history, and those after a restart, say nothing about the ones before.
      if (gap.reason !== "trimmed") receiver.skipTo = 0;
      receiver.offerGap(gap);
    }
  }
}
