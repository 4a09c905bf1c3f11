import type { Gap, Message } from "./message.ts";
import type { Receiver } from "./receiver.ts";

/** Who is told what is handed out. */
export interface HandedOut {
  noteReceived(subscriptions: number): void;
}

/** The receivers in this process that follow a channel live. */
export class Audience<Data> {
  readonly #receivers = new Set<Receiver<Data>>();
  readonly #tally: HandedOut | undefined;
  /** Those who come while a message is handed out: it is not for them. */
  #joining: Receiver<Data>[] | undefined;

  /** Without a `tally` nothing is counted. */
  constructor(tally?: HandedOut) {
    this.#tally = tally;
  }

  get isEmpty(): boolean {
    return this.#receivers.size === 0 && !this.#joining;
  }

  add(receiver: Receiver<Data>): void {
    if (this.#joining) this.#joining.push(receiver);
    else this.#receivers.add(receiver);
  }

  delete(receiver: Receiver<Data>): void {
    this.#receivers.delete(receiver);
    if (this.#joining) this.#joining = this.#joining.filter((other) => other !== receiver);
  }

  /** `count` is the message's number, where it has one. */
  offer(message: Message<Data>, count = Number.MAX_SAFE_INTEGER): void {
    this.#tally?.noteReceived(this.#receivers.size);
    this.#round((receiver) => {
      if (count > receiver.skipTo) receiver.offer(message);
    });
  }

  offerGap(gap: Gap): void {
    this.#round((receiver) => {
      // The numbers of another history, and those of another era, say nothing about the ones before.
      if (gap.reason !== "trimmed") receiver.skipTo = 0;
      receiver.offerGap(gap);
    });
  }

  #round(hand: (receiver: Receiver<Data>) => void): void {
    this.#joining = [];
    for (const receiver of this.#receivers) hand(receiver);
    const joining = this.#joining;
    this.#joining = undefined;
    for (const receiver of joining) this.#receivers.add(receiver);
  }
}
