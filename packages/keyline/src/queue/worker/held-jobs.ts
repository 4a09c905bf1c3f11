import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Held, Phase } from "../../work/held.ts";
import type { Verdict } from "../../work/verdict.ts";
import type { ParkableRow } from "../../postgres/job/parked-rows.ts";
import type { Elsewhere } from "../../postgres/job/failed-rows.ts";
import type { HeldPlace } from "../../valkey/queue/holding.ts";
import { beginning, deathsOf, decodeElement, type Element } from "../element.ts";
import type { ChildEnd } from "../families/child-end.ts";
import type { Job } from "../job.ts";
import type { Parked as ParkedError } from "../steps/parked.ts";

/** What its handler waits for has its row parked: its next element, and how long that rests; "woken" when that is not this worker's to bring. */
export type Parked = { readonly element: string; readonly delayMs: number; readonly parks: number } | "woken";

/** A job in this worker's held list. */
export class HeldJob<Data> implements Held<Job<Data>> {
  /** The element as it is in the list. */
  readonly raw: string;
  /** Undefined when `raw` is no valid element; then `problem` says why. */
  readonly element: Element | undefined;
  readonly problem: string;
  phase: Phase = "running";
  attempt: Job<Data> | undefined;
  verdict: Verdict | undefined;
  /** Whether jobs of its group come one after the other. */
  readonly isOrdered: boolean;
  /** Its row's place among all jobs, where that was asked for. */
  order: string | undefined;
  /** Its data as its row has it, where that counts and not the element's, and in which period that was asked. */
  rowData: { readonly json: string; readonly period: number } | undefined;
  /** Its handler has said how far it has come. */
  hasProgress = false;
  /** How many milliseconds its attempt took. */
  ranMs: number | undefined;
  /** Its result, where that is kept and this attempt has completed it. */
  result: { readonly json: string | undefined; readonly openIn?: string | undefined } | undefined;
  /** It may have been cancelled before it was taken: its row knows. */
  readonly isDoubtful: boolean;
  /** It was cancelled, whatever comes of its attempt. */
  isCancelled = false;
  parked: Parked | undefined;
  /** On a plain queue: its handler has added children, in this run or before. */
  hasFamily = false;
  /** On a plain queue: what its parent is told. */
  childEnd: ChildEnd | undefined;
  /** On a plain queue: its attempt ends by this, until its children have ended. */
  waits: ParkedError | undefined;
  /** The job is where another element says: that this one goes ends nothing. */
  isOutdated = false;
  /** What its row says of it, where that is not this worker's to end. */
  elsewhere: Elsewhere | undefined;
  /** It is to be handed in: see finished-jobs.ts. */
  isFinished = false;
  /** How long it rests when it goes back before its turn. */
  restMs: number | undefined;
  /** When its attempt began, by `performance`, and in milliseconds since 1970. */
  begunAt = 0;
  begunMs = 0;

  constructor(raw: string, how: { readonly isOrdered?: boolean; readonly isDoubtful?: boolean } = {}) {
    const { isOrdered = true, isDoubtful = false } = how;
    this.raw = raw;
    this.isOrdered = isOrdered;
    this.isDoubtful = isDoubtful;
    let problem = "";
    let element: Element | undefined;
    try {
      element = decodeElement(raw);
    } catch (error) {
      problem = `The element is not valid: ${toError(error).message}`;
    }
    this.element = element;
    this.problem = problem;
  }

  get attempts(): number {
    return this.element?.attempts ?? 0;
  }

  /** What its row knows the attempt by. */
  get row(): ParkableRow | undefined {
    const { element, rowData } = this;
    if (!element) return undefined;
    return {
      id: element.id,
      attempts: element.attempts,
      parks: element.parks,
      isAgain: element.isAgain,
      period: rowData?.period,
    };
  }

  /** Milliseconds since its attempt began. */
  get tookMs(): number {
    return performance.now() - this.begunAt;
  }

  /** How many of its failed attempts were with a worker that died since its history was written. */
  get deaths(): number {
    return deathsOf(this.raw);
  }

  /** The text a script finds it by. */
  get begins(): string {
    return beginning(this.raw, this.element);
  }
}

/**
 * What this process knows of its held list: the same jobs in the same order. Jobs join when a reply brings them and leave when the
 * command that removes them is sent, so that places are right for the command that comes next.
 */
export class HeldJobs<Data> {
  #jobs: HeldJob<Data>[] = [];

  get size(): number {
    return this.#jobs.length;
  }

  join(jobs: readonly HeldJob<Data>[]): void {
    for (const job of jobs) this.#jobs.push(job);
  }

  /** Takes a job in again that did not leave after all, at the place where it was. */
  rejoin(job: HeldJob<Data>, place: number): void {
    this.#jobs.splice(place, 0, job);
  }

  /**
   * Takes the jobs out. `areOldest` when they are the ones held longest, in their order: then the first and the last place say it
   * all, and of one job alone its place.
   */
  leave(jobs: readonly HeldJob<Data>[]): { readonly places: HeldPlace[]; readonly areOldest: boolean } {
    const [first] = jobs;
    const last = jobs.at(-1);
    if (!first || !last) return { places: [], areOldest: false };
    if (first === last && first === this.#jobs[0]) {
      this.#jobs.shift();
      return { places: [placed(first, 0)], areOldest: true };
    }
    const place = this.#jobs.indexOf(first);
    if (!this.#standTogether(jobs, place)) return { places: jobs.map((job) => this.#leaveOne(job)), areOldest: false };
    this.#jobs.splice(place, jobs.length);
    // Each is at the same place when those before it have left.
    if (place > 0) return { places: jobs.map((job) => placed(job, place)), areOldest: false };
    const places = [placed(first, 0)];
    if (last !== first) places.push(placed(last, jobs.length - 1));
    return { places, areOldest: true };
  }

  /** Of those that are held longest, one behind the other, the ones that have ended; so many at the most. */
  oldestFinished(most: number): readonly HeldJob<Data>[] {
    let count = 0;
    while (count < most && this.#jobs[count]?.isFinished) count++;
    return this.#jobs.slice(0, count);
  }

  /** Takes the jobs out one by one, the newest first. */
  leaveEach(jobs: readonly HeldJob<Data>[]): HeldPlace[] {
    return jobs.toReversed().map((job) => this.#leaveOne(job));
  }

  /**
   * Takes over what the list really holds. Returns the texts of which nothing was known, and the jobs that are not in the list.
   * `absent` are jobs known to the caller which have left here, and may or may not have left there.
   */
  reconcile(
    raws: readonly string[],
    absent: readonly HeldJob<Data>[],
  ): { readonly unknown: string[]; readonly stillHeld: ReadonlySet<HeldJob<Data>>; readonly vanished: HeldJob<Data>[] } {
    const left = Map.groupBy([...this.#jobs, ...absent], (job) => job.raw);
    const known = new Set(this.#jobs);
    const unknown: string[] = [];
    const stillHeld = new Set<HeldJob<Data>>();
    const jobs: HeldJob<Data>[] = [];
    for (const raw of raws) {
      const job = left.get(raw)?.shift();
      if (!job) {
        unknown.push(raw);
        continue;
      }
      jobs.push(job);
      if (!known.has(job)) stillHeld.add(job);
    }
    const vanished = [...left.values()].flat().filter((job) => known.has(job));
    this.#jobs = jobs;
    return { unknown, stillHeld, vanished };
  }

  clear(): readonly HeldJob<Data>[] {
    const jobs = this.#jobs;
    this.#jobs = [];
    return jobs;
  }

  all(): readonly HeldJob<Data>[] {
    return this.#jobs;
  }

  #leaveOne(job: HeldJob<Data>): HeldPlace {
    const place = Math.max(0, this.#jobs.indexOf(job));
    if (this.#jobs[place] === job) this.#jobs.splice(place, 1);
    return placed(job, place);
  }

  #standTogether(jobs: readonly HeldJob<Data>[], place: number): boolean {
    if (place < 0) return false;
    for (let index = 0; index < jobs.length; index++) if (this.#jobs[place + index] !== jobs[index]) return false;
    return true;
  }
}

function placed(job: HeldJob<unknown>, place: number): HeldPlace {
  return { place, begins: job.begins };
}
