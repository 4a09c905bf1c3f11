import type { HeldPlace } from "../valkey/queue-lists.ts";
import { beginning, type Element } from "./element.ts";

/** A job in this worker's held list. */
export interface HeldJob {
  /** The element as it is in the list. */
  readonly raw: string;
  /** Undefined when `raw` is no valid element; then `problem` says why. */
  readonly element: Element | undefined;
  readonly problem: string;
  /** The text a script finds it by. */
  readonly begins: string;
}

export function heldJob(raw: string, decoded: { readonly element?: Element; readonly problem?: string }): HeldJob {
  const { element, problem = "" } = decoded;
  return { raw, element, problem, begins: beginning(raw, element) };
}

/**
 * What this process knows of its held list: the same jobs in the same order. Jobs join when a reply brings them and leave when the
 * command that removes them is sent, so that places are right for the command that comes next.
 */
export class HeldJobs {
  #jobs: HeldJob[] = [];

  get size(): number {
    return this.#jobs.length;
  }

  join(jobs: readonly HeldJob[]): void {
    for (const job of jobs) this.#jobs.push(job);
  }

  /** Takes the jobs out and returns their places, each as it is after those before it have left. */
  leave(jobs: readonly HeldJob[]): { readonly places: HeldPlace[]; readonly areOldest: boolean } {
    const areOldest = jobs.every((job, index) => this.#jobs[index] === job);
    if (areOldest) {
      this.#jobs.splice(0, jobs.length);
      return { places: jobs.map((job) => ({ place: 0, begins: job.begins })), areOldest };
    }
    const places = jobs.map((job) => {
      const place = Math.max(0, this.#jobs.indexOf(job));
      if (this.#jobs[place] === job) this.#jobs.splice(place, 1);
      return { place, begins: job.begins };
    });
    return { places, areOldest };
  }

  has(job: HeldJob): boolean {
    return this.#jobs.includes(job);
  }

  /**
   * Takes over what the list really holds. Returns the texts of which nothing was known, and the jobs that are not in the list.
   * `absent` are jobs known to the caller which have left here, and may or may not have left there.
   */
  reconcile(
    raws: readonly string[],
    absent: readonly HeldJob[],
  ): { readonly unknown: string[]; readonly stillHeld: HeldJob[]; readonly vanished: HeldJob[] } {
    const left = new Map<string, HeldJob[]>();
    for (const job of [...this.#jobs, ...absent]) left.set(job.raw, [...(left.get(job.raw) ?? []), job]);
    const known = new Set(this.#jobs);
    const unknown: string[] = [];
    const stillHeld: HeldJob[] = [];
    const jobs: HeldJob[] = [];
    for (const raw of raws) {
      const job = left.get(raw)?.shift();
      if (!job) {
        unknown.push(raw);
        continue;
      }
      jobs.push(job);
      if (!known.has(job)) stillHeld.push(job);
    }
    const vanished = [...left.values()].flat().filter((job) => known.has(job));
    this.#jobs = jobs;
    return { unknown, stillHeld, vanished };
  }

  clear(): readonly HeldJob[] {
    const jobs = this.#jobs;
    this.#jobs = [];
    return jobs;
  }
}
