/*
 * DESIGN. A worker whose handlers are quick takes some jobs more than it can run at once, so that the next one begins without waiting for the network and
 * ends travel together. Such a job is held and has not begun.
 *
 * - How many: as many as handlers get through in two milliseconds, by what they took lately (pace.ts); none where that is not known or longer. None where the
 *   queue has gates (limits, pauses, priorities), because what those let through has to begin.
 * - Where nothing has begun for ten milliseconds, what is ahead goes back to the head of the queue, and another worker gets it. So it does when the worker
 *   stops, and when there are gates to look at. All of it goes back together, when nothing more is on its way: so it is in order there. And never while the held
 *   list is being read: what it shows and nobody here knows is begun.
 * - A worker that dies is found with all that it held, and nobody knows what of it had begun: an attempt is counted for each. So while a job runs that was
 *   with a worker that died, nothing is ahead, and it begins alone: nothing else does for a tenth of a second. From the second such death on, and with its last attempt, for ten seconds.
 *   A job that kills workers buries itself and not its neighbours; and one that takes long and had bad luck does not keep a worker from all else.
 */
import { clearTimeout, performance, setTimeout } from "../../runtime/clock.ts";
import type { Pump } from "../../work/pump.ts";
import type { HeldJob } from "./held-jobs.ts";
import { Pace } from "./pace.ts";
import type { Reconciler } from "./reconciler.ts";

const budgetMs = 2;
const leastCap = 32;
const restlessMs = 10;
const aloneMs = 100;
const suspectAloneMs = 10_000;

/** How many jobs a worker takes. */
export interface Takes<Data> {
  /** How many more can begin. */
  readonly room: () => number;
  /** How many jobs one command takes at the most that can begin. */
  readonly largestTake: number;
  /** How many jobs run at a time, where some may be taken ahead of them; else 0. */
  readonly aheadOf: number;
  /** How many attempts a job has. */
  readonly maxAttemptsOf: (job: HeldJob<Data>) => number;
}

export interface AheadParts<Data> extends Takes<Data> {
  readonly pump: Pump;
  readonly reconciler: Pick<Reconciler<Data>, "isReading">;
  readonly begin: (jobs: readonly HeldJob<Data>[]) => void;
  /** Puts them back at the head of the queue. */
  readonly giveBack: (jobs: readonly HeldJob<Data>[]) => void;
  /** Others may begin again. */
  readonly goOn: () => void;
}

/** Jobs that a worker holds and has not begun. */
export class Ahead<Data> {
  readonly #parts: AheadParts<Data>;
  readonly #pace = new Pace();
  #jobs: HeldJob<Data>[] = [];
  /** Those that run and were with a worker that died. */
  readonly #survivors = new Set<HeldJob<Data>>();
  #alone: HeldJob<Data> | undefined;
  #isReturning = false;
  /** The last one that began was with a worker that died: the next ones may have been, too, so they are taken one by one, each when the one before is here. */
  #isWary = false;
  #begun = 0;
  #ended: HeldJob<Data> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #release: NodeJS.Timeout | undefined;

  constructor(parts: AheadParts<Data>) {
    this.#parts = parts;
  }

  /** A job is alone: nothing is taken beside it. */
  get isAlone(): boolean {
    return this.#alone !== undefined;
  }

  /** They are to go back, as soon as nothing more is on its way. */
  get isReturning(): boolean {
    return this.#isReturning;
  }

  /** How many jobs to ask for, with so many ends to hand in. */
  places(finished: number, isGated: boolean): number {
    if (this.#alone !== undefined || this.#isReturning) return 0;
    const { room, largestTake, pump } = this.#parts;
    if (this.#isWary && pump.expected > 0) return 0;
    const allowance = isGated ? 0 : this.#allowance();
    const free = room() - pump.expected;
    const places = free + allowance - this.#jobs.length;
    // What cannot begin yet is asked for by the command that hands in an end: whoever was just woken by one job has none to ask for.
    if (free <= 0 && finished === 0) return 0;
    return Math.max(0, Math.min(places, this.#isWary ? 1 : largestTake + Math.ceil(allowance / 2)));
  }

  /** These are held now. */
  take(
    jobs: readonly HeldJob<Data>[],
    { mayBegin, mayWait, isLetThrough }: { readonly mayBegin: boolean; readonly mayWait: boolean; readonly isLetThrough: boolean },
  ): void {
    // What gates let through has been counted as running, and a rate would not give it back.
    if (mayBegin && isLetThrough && !jobs.some((job) => this.#mustBeAlone(job))) return this.#begin(jobs);
    for (const job of jobs) this.#jobs.push(job);
    if (mayBegin) this.begin();
    // What was taken before there were gates, or before the worker was to stop, is for others.
    if (!(mayBegin && mayWait) && this.#jobs.length > 0) this.giveBack();
  }

  /** Begins as many as there is room for, unless they are to go back. */
  begin(): void {
    this.#notePace();
    if (this.#isReturning) this.#return();
    while (this.#jobs.length > 0 && this.#alone === undefined && !this.#isReturning) {
      const room = this.#parts.room();
      if (room <= 0) break;
      this.#begin(this.#nextOnes(room));
    }
    if (this.#jobs.length > 0) this.#watch();
  }

  /** Its attempt has ended, as far as this worker is concerned. */
  noteEnd(job: HeldJob<Data>): void {
    this.#ended ??= job;
    if (job.attempts === 0) return;
    this.#survivors.delete(job);
    if (job === this.#alone) this.#endAlone();
  }

  /** None of them begins: they go back, and with them what is on its way. */
  giveBack(): void {
    this.#isReturning = true;
    this.#return();
  }

  /** Some are not held any more. */
  keep(held: ReadonlySet<HeldJob<Data>>): void {
    this.#jobs = this.#jobs.filter((job) => held.has(job));
  }

  /** Forgets everything of a lease that is lost. Returns what has not begun. */
  reset(): ReadonlySet<HeldJob<Data>> {
    this.#survivors.clear();
    this.#endAlone();
    this.#isReturning = false;
    this.#isWary = false;
    return new Set(this.#jobs.splice(0));
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#release);
  }

  #return(): void {
    const { pump, reconciler } = this.#parts;
    // A list that was read before they went back would still show them: they would be begun here, and again where they went.
    if (pump.expected > 0 || reconciler.isReading) return;
    this.#isReturning = false;
    if (this.#jobs.length > 0) this.#parts.giveBack(this.#jobs.splice(0));
  }

  /** How many jobs may be held that have not begun. */
  #allowance(): number {
    const { aheadOf } = this.#parts;
    if (aheadOf === 0 || this.#survivors.size > 0) return 0;
    return Math.min(Math.max(leastCap, aheadOf), Math.floor((budgetMs * aheadOf) / this.#pace.ms));
  }

  #nextOnes(room: number): HeldJob<Data>[] {
    const { length } = this.#jobs;
    let count = 1;
    if (!this.#mustBeAlone(this.#jobs[0])) while (count < room && count < length && !this.#mustBeAlone(this.#jobs[count])) count++;
    return this.#jobs.splice(0, count);
  }

  #begin(jobs: readonly HeldJob<Data>[]): void {
    const now = performance.now();
    const nowMs = Date.now();
    this.#begun++;
    for (const job of jobs) {
      job.begunAt = now;
      job.begunMs = nowMs;
      if (this.#mustBeAlone(job)) this.#survivors.add(job);
    }
    if (this.#survivors.size > 0 && this.#jobs.length > 0) this.giveBack();
    const [first] = jobs;
    this.#isWary = this.#mustBeAlone(first);
    if (this.#mustBeAlone(first)) this.#beginAlone(first);
    this.#parts.begin(jobs);
  }

  #beginAlone(job: HeldJob<Data>): void {
    this.#alone = job;
    const isSuspect = job.deaths > 1 || job.attempts + 1 >= this.#parts.maxAttemptsOf(job);
    this.#release = setTimeout(
      () => {
        this.#endAlone();
        this.#parts.goOn();
      },
      isSuspect ? suspectAloneMs : aloneMs,
    );
    this.#release.unref();
  }

  #endAlone(): void {
    this.#alone = undefined;
    clearTimeout(this.#release);
  }

  /** It was with a worker that died. */
  #mustBeAlone(job: HeldJob<Data> | undefined): job is HeldJob<Data> {
    return job !== undefined && job.attempts > 0 && job.deaths > 0;
  }

  #notePace(): void {
    if (this.#ended) this.#pace.note(this.#ended.tookMs);
    this.#ended = undefined;
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    const begun = this.#begun;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#jobs.length === 0) return;
      if (begun !== this.#begun) return this.#watch();
      this.#pace.note(restlessMs);
      this.giveBack();
    }, restlessMs);
    this.#timer.unref();
  }
}
