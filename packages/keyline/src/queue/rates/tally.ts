import type { Figures } from "../../figures/figures.ts";
import { Flusher } from "../../figures/flusher.ts";
import { seldomCounts, type QueueCounts } from "../../runtime/counters.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { DepthSampler } from "./depth-sampler.ts";

const buckets = 42;

/** How an attempt ended, as far as it counts: it failed and there is another, or it was the last one. */
export type AttemptEnd = "completed" | "retried" | "dead";

/** What this process does on a queue, counted in memory and written down every few seconds. What it has not written is lost with it. */
export class Tally {
  /** The same, for whoever reads metrics: it is never written down and never begins anew. */
  readonly counts: QueueCounts;
  readonly #flusher: Flusher;
  readonly #sampler: DepthSampler;
  readonly #ran: number[] = Array.from({ length: buckets }, () => 0);
  readonly #waited: number[] = Array.from({ length: buckets }, () => 0);
  #added = 0;
  #completed = 0;
  #failed = 0;
  #retried = 0;
  #dead = 0;
  #cancelled = 0;

  constructor(
    figures: Figures,
    { sampler, counts, logger }: { readonly sampler: DepthSampler; readonly counts: QueueCounts; readonly logger: Logger },
  ) {
    this.counts = counts;
    this.#sampler = sampler;
    this.#flusher = new Flusher(figures, { take: () => this.#take(), logger });
  }

  noteAdded(count: number): void {
    this.#added += count;
    this.counts.added += count;
    this.#flusher.touch();
  }

  /** An attempt has ended, after `ranMs`; of a first one it is known how long the job had waited. */
  noteAttempt(end: AttemptEnd, ranMs: number, waitedMs: number | undefined): void {
    if (end === "completed") this.#completed++;
    else this.#failed++;
    if (end === "retried") this.#retried++;
    else if (end === "dead") this.#dead++;
    count(this.#ran, ranMs);
    this.counts.ran.note(ranMs);
    if (waitedMs !== undefined) {
      count(this.#waited, waitedMs);
      this.counts.waited.note(waitedMs);
    }
    this.#flusher.touch();
  }

  /** A job died, and no worker had it that would count it. */
  noteDead(): void {
    this.counts.dead++;
    this.noteBuried();
  }

  /** A worker has buried a job that could not be run. */
  noteBuried(): void {
    this.#dead++;
    this.#flusher.touch();
  }

  noteCancelled(count: number): void {
    if (count === 0) return;
    this.#cancelled += count;
    this.counts.cancelled += count;
    this.#flusher.touch();
  }

  /** A process is here that can look how many jobs there are, once a minute; and its workers may have lost their leases. */
  look(): void {
    this.#sampler.look();
    this.#noteSeldom();
  }

  /** Writes what there is. */
  async stop(): Promise<void> {
    this.#noteSeldom();
    await Promise.all([this.#flusher.stop(), this.#sampler.stop()]);
  }

  #noteSeldom(): void {
    const { counts } = this;
    if (seldomCounts.some((name) => counts[name] > counts.written[name])) this.#flusher.touch();
  }

  #take(): Map<string, number> {
    this.#sampler.look();
    const counts = new Map<string, number>();
    const note = (name: string, number: number): void => void (number > 0 && counts.set(name, number));
    note("added", this.#added);
    note("completed", this.#completed);
    note("failed", this.#failed);
    note("retried", this.#retried);
    note("dead", this.#dead);
    note("cancelled", this.#cancelled);
    this.#ran.forEach((number, index) => note(`r${index}`, number));
    this.#waited.forEach((number, index) => note(`w${index}`, number));
    for (const name of seldomCounts) {
      note(name, this.counts[name] - this.counts.written[name]);
      this.counts.written[name] = this.counts[name];
    }
    this.#added = this.#completed = this.#failed = this.#retried = this.#dead = this.#cancelled = 0;
    this.#ran.fill(0);
    this.#waited.fill(0);
    return counts;
  }
}

/** Bucket N has durations below 2^N milliseconds. */
function count(histogram: number[], ms: number): void {
  const bucket = ms < 1 ? 0 : Math.min(buckets - 1, Math.floor(Math.log2(ms)) + 1);
  histogram[bucket] = (histogram[bucket] ?? 0) + 1;
}
