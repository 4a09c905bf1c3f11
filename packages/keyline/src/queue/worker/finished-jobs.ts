/*
 * DESIGN. Jobs that have ended and are still held on Valkey, until the next command hands them in.
 *
 * Those that are held longest go with one command for all of them, and the server need not look at each: two texts tell which they are. Any other one costs the server
 * a look and a change in the middle of a list, many times as much. So ends are handed in in the order of taking where that is all of them. And on a transactional queue, where
 * the row has the end and nothing but its element is left here, what ended before its elders waits for them, up to 20 ms; unless somebody waits for it: those that
 * are tied to something, those of a queue whose gates count what is held, and those of a worker that stops. On a plain queue nothing waits: there it has not ended before Valkey knows.
 */
import { clearTimeout, performance, setTimeout } from "../../runtime/clock.ts";
import type { HeldJob, HeldJobs } from "./held-jobs.ts";
import type { Ties } from "./ties.ts";

const most = 1_000;
const none: readonly never[] = [];

interface FinishedJobsParts<Data> {
  readonly held: HeldJobs<Data>;
  readonly ties: Ties;
  /** Some have waited for as long as they may. */
  readonly due: () => void;
  /** How long they wait at the most, in milliseconds; default 20. */
  readonly patienceMs?: number;
}

export class FinishedJobs<Data> {
  readonly #parts: FinishedJobsParts<Data>;
  #jobs: HeldJob<Data>[] = [];
  /** So many of them were found to be tied to nothing. */
  #untied = 0;
  /** Since when some wait for their elders, by `performance`. */
  #waitsSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: FinishedJobsParts<Data>) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#jobs.length;
  }

  add(job: HeldJob<Data>): void {
    job.isFinished = true;
    this.#jobs.push(job);
  }

  /** Those that are to be handed in now, in the order in which they are held as far as they are the oldest. `mayWait`: nothing counts on what is held. */
  next(mayWait: boolean): readonly HeldJob<Data>[] {
    const { length } = this.#jobs;
    if (length === 0) return none;
    const oldest = this.#parts.held.oldestFinished(most);
    if (oldest.length === Math.min(length, most)) return this.#leave(oldest);
    if (mayWait && this.#parts.ties.hasRecord && this.#isPatient()) return oldest.length > 0 ? this.#leave(oldest) : none;
    return this.#leave(this.#jobs.slice(0, most));
  }

  /** Forgets all: their lease is lost. */
  reset(): void {
    for (const job of this.#jobs) job.isFinished = false;
    this.#jobs = [];
    this.#untied = 0;
    this.#waitsSince = undefined;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #leave(jobs: readonly HeldJob<Data>[]): readonly HeldJob<Data>[] {
    for (const job of jobs) job.isFinished = false;
    this.#jobs = jobs.length === this.#jobs.length ? [] : this.#jobs.filter((job) => job.isFinished);
    this.#untied = Math.max(0, this.#untied - jobs.length);
    if (this.#jobs.length === 0) this.#waitsSince = undefined;
    return jobs;
  }

  #isPatient(): boolean {
    const { ties, due, patienceMs = 20 } = this.#parts;
    for (; this.#untied < this.#jobs.length; this.#untied++) {
      const job = this.#jobs[this.#untied];
      if (job && ties.of(job).length > 0) return false;
    }
    const now = performance.now();
    this.#waitsSince ??= now;
    const leftMs = this.#waitsSince + patienceMs - now;
    if (leftMs > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        due();
      }, leftMs).unref();
      return true;
    }
    this.#waitsSince = undefined;
    return false;
  }
}
