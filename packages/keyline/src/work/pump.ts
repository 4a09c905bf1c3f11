import { queueMicrotask, setImmediate } from "../runtime/clock.ts";
import { Notice } from "../runtime/waiting.ts";

interface Sending<Reply> {
  /** How many units the answer may bring. */
  readonly places: number;
  answered(reply: Reply): void;
  failed(error: unknown): void;
}

/**
 * Batching without waiting: what comes while commands are under way goes with the next one. A turn is run once what runs now has run, so
 * that all of one turn of the event loop travels together.
 *
 * A server that found two commands at once answers both at once. Of answers that bring units the second one waits until what the first one brought
 * has been begun, and what follows from that has been sent: so the server has that to work on meanwhile. Else it would wait for this process
 * again and again, and this process for it.
 */
export class Pump {
  readonly #turn: () => void;
  readonly #changed = new Notice();
  #isScheduled = false;
  #underWay = 0;
  #expected = 0;
  #generation = 0;
  /** What the last answer brought is being begun. */
  #isBusy = false;
  readonly #deferred: (() => void)[] = [];

  constructor(turn: () => void) {
    this.#turn = turn;
  }

  /** How many commands are under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** How many units they may bring. */
  get expected(): number {
    return this.#expected;
  }

  soon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#changed.notify();
      this.#turn();
    });
  }

  /** Counts a command that was sent, and hands on its answer, unless that belongs to a lease that is over by then. */
  send<Reply>(command: Promise<Reply>, { places, answered, failed }: Sending<Reply>): void {
    const generation = this.#generation;
    this.#underWay++;
    this.#expected += places;
    const settle = (follow: () => void): void => {
      if (places > 0 && this.#defers(() => settle(follow))) return;
      this.#underWay--;
      if (generation === this.#generation) {
        this.#expected -= places;
        follow();
      }
      this.soon();
    };
    command.then(
      (reply) => settle(() => answered(reply)),
      (error: unknown) => settle(() => failed(error)),
    );
  }

  /** Whether this is to wait until there was time for what the answer before it brought. */
  #defers(settle: () => void): boolean {
    if (this.#isBusy) return this.#deferred.push(settle) > 0;
    if (this.#underWay > 1) {
      this.#isBusy = true;
      setImmediate(this.#followNext);
    }
    return false;
  }

  readonly #followNext = (): void => {
    this.#isBusy = false;
    this.#deferred.shift()?.();
  };

  /** The lease is over: what is under way belongs to nobody. */
  reset(): void {
    this.#generation++;
    this.#expected = 0;
  }

  /** True until the next `reset`. */
  watch(): () => boolean {
    const generation = this.#generation;
    return () => generation === this.#generation;
  }

  /** Resolves when `isDone`, looking at each turn; or when `signal` says not to wait. */
  async until(isDone: () => boolean, signal?: AbortSignal): Promise<void> {
    this.soon();
    while (!isDone() && !signal?.aborted) await this.#changed.wait(undefined, signal);
  }
}
