import { clearTimeout, performance, setTimeout } from "./clock.ts";

/** What is to be done when its time is over. */
export interface Deadline {
  readonly ms: number;
  readonly at: number;
  readonly due: () => void;
}

/** Lengths of which there is no deadline now are kept, as the next one may be of the same: so many. */
const mostLengths = 16;

/**
 * Deadlines of which most are called off: one timer for all, as a timer of its own for each would cost more than what it watches over. The timer does
 * not keep the process.
 */
export class Deadlines {
  /** By their lengths: of those of one length the first is the next. */
  readonly #byLength = new Map<number, Set<Deadline>>();
  #timer: NodeJS.Timeout | undefined;
  #ringsAt = Infinity;

  /** Calls `due` in `ms` milliseconds, or later. */
  set(ms: number, due: () => void): Deadline {
    const deadline = { ms, at: performance.now() + ms, due };
    const alike = this.#byLength.get(ms);
    if (alike) alike.add(deadline);
    else this.#byLength.set(ms, new Set([deadline]));
    if (deadline.at < this.#ringsAt) this.#ringAt(deadline.at);
    return deadline;
  }

  clear(deadline: Deadline): void {
    const alike = this.#byLength.get(deadline.ms);
    alike?.delete(deadline);
    if (alike?.size === 0 && this.#byLength.size > mostLengths) this.#byLength.delete(deadline.ms);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#ringsAt = Infinity;
    this.#byLength.clear();
  }

  #ringAt(at: number): void {
    clearTimeout(this.#timer);
    this.#ringsAt = at;
    // Timers may be early by a millisecond.
    this.#timer = setTimeout(() => this.#ring(), Math.max(1, Math.ceil(at - performance.now()))).unref();
  }

  #ring(): void {
    this.#ringsAt = Infinity;
    const now = performance.now();
    const due: Deadline[] = [];
    let next = Infinity;
    for (const [ms, alike] of this.#byLength) {
      for (const deadline of alike) {
        if (deadline.at > now) break;
        alike.delete(deadline);
        due.push(deadline);
      }
      const [first] = alike;
      if (first) next = Math.min(next, first.at);
      else this.#byLength.delete(ms);
    }
    if (next < Infinity) this.#ringAt(next);
    // Where the process stood still, those of several lengths are due at once.
    if (due.length > 1) due.sort((one, other) => one.at - other.at);
    for (const deadline of due) deadline.due();
  }
}
