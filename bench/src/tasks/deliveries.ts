import { Progress } from "./progress.ts";

/** Keeps account of messages each of which every receiver must get, once and in order. */
export class Deliveries {
  readonly #expected: Int32Array;
  readonly #arrivals: Int32Array;
  readonly #complete = new Progress();
  #irregularity: string | undefined;
  /** Called when one more message has come to everybody. */
  onComplete: () => void = () => {};

  /** Expects the numbers from 0 to `messages` (not included) at each of the receivers. */
  constructor(receivers: number, messages: number) {
    this.#expected = new Int32Array(receivers);
    this.#arrivals = new Int32Array(messages);
  }

  /** Messages that have come to everybody: as each receiver gets them in order, all before the last one have too. */
  get complete(): number {
    return this.#complete.value;
  }

  /** What went wrong first. Undefined when everything that came was the next message of its receiver. */
  get irregularity(): string | undefined {
    return this.#irregularity;
  }

  record(receiver: number, seq: number): void {
    if (this.#expected[receiver] !== seq) {
      this.note(`Receiver ${receiver} got message ${seq} instead of ${this.#expected[receiver]}.`);
      return;
    }
    this.#expected[receiver] = seq + 1;
    const arrivals = (this.#arrivals[seq] ?? 0) + 1;
    this.#arrivals[seq] = arrivals;
    if (arrivals < this.#expected.length) return;
    this.#complete.value++;
    this.onComplete();
  }

  note(irregularity: string): void {
    this.#irregularity ??= irregularity;
  }

  /** Resolves when that many messages have come to everybody. */
  reach(messages: number): Promise<void> {
    return this.#complete.reach(messages, "messages came to everybody", () => this.#irregularity);
  }
}
