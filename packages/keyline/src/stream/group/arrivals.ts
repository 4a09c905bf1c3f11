import { Alarm } from "../../runtime/alarm.ts";
import type { Turn } from "../../valkey/stream/group-log.ts";

/** Says when a stream has news; see valkey/client/stream-tails.ts. */
export interface Tails {
  /** Resolves when the stream at `key` has an entry after `after`, or when `signal` is aborted. May resolve too early. */
  whenAfter(key: string, after: string, signal: AbortSignal): Promise<void>;
}

// Timers take at most 2^31 ms; an entry that is due later is heard of again.
const farAwayMs = 86_400_000;

/** Whether there may be something to take: new entries, or such that are due again. Waits for them without polling. */
export class Arrivals {
  readonly #tails: Tails;
  readonly #announce: () => void;
  readonly #dueAlarm = new Alarm(() => {
    this.#isDue = true;
    this.#announce();
    return Promise.resolve();
  });
  #isDue = true;
  #isShort = true;
  #isEmpty = false;
  #emptyAfter = "";
  #wokenUpTo = "0-0";
  #waiting: AbortController | undefined;

  /** Calls `announce` when something may be there that was not before. */
  constructor(tails: Tails, announce: () => void) {
    this.#tails = tails;
    this.#announce = announce;
  }

  /** There is nothing to take, for all that is known. */
  get isNone(): boolean {
    return this.#isEmpty && !this.#isDue;
  }

  /** The group is up to date. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** The stream may have no more than one read brings. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** Nothing is due again, and the stream is not about to end: then reading is all there is to do. */
  get isPlenty(): boolean {
    return !this.#isDue && !this.#isShort;
  }

  /** A read brought less than asked for: the next one asks where the stream ends. */
  noteShort(): void {
    this.#isShort = true;
  }

  /** What is due is about to be taken. */
  takeDue(): void {
    this.#isDue = false;
  }

  /** Follows a turn that had `places` to fill. */
  follow({ taken, stoppedBy, nextDueMs, wokenUpTo }: Turn, places: number): void {
    this.expectDue(nextDueMs);
    if (places === 0) return;
    this.#isShort = taken.length < places;
    // Of what was read all waits in lines, and there is more.
    if (!this.#isShort || stoppedBy === "") return;
    this.#isEmpty = true;
    this.#emptyAfter = stoppedBy === "full" ? "" : stoppedBy;
    if (wokenUpTo !== "") this.#wokenUpTo = wokenUpTo;
  }

  /** Something is due in `ms` milliseconds; negative: nothing is. */
  expectDue(ms: number): void {
    if (ms < 0 || ms > farAwayMs) return;
    if (ms === 0) this.#isDue = true;
    else this.#dueAlarm.set(ms);
  }

  /** Somebody else may have made room where too much was pending. */
  noteRoom(): void {
    if (this.#emptyAfter === "") this.#isEmpty = false;
  }

  /** Nothing is known any more: look for everything. */
  reset(): void {
    this.stopWaiting();
    this.#isEmpty = false;
    this.#isShort = true;
    this.#isDue = true;
  }

  /** Announces the next entry of `log` after the end that was seen, and what is due again without having been expected. */
  await({ log, wake }: { readonly log: string; readonly wake: string }): void {
    if (this.#waiting || !this.#isEmpty || this.#emptyAfter === "") return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    const announce = (): void => {
      if (this.#waiting !== waiting) return;
      // Nothing else may be read while this consumer is at work: in the same turn, before the next blocking read begins.
      this.stopWaiting();
      this.#isEmpty = false;
      this.#isShort = true;
      this.#announce();
    };
    void this.#tails.whenAfter(log, this.#emptyAfter, waiting.signal).then(announce);
    void this.#tails.whenAfter(wake, this.#wokenUpTo, waiting.signal).then(announce);
  }

  stopWaiting(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
  }

  stop(): Promise<void> {
    this.stopWaiting();
    return this.#dueAlarm.stop();
  }
}
