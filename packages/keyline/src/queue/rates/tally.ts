import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

const writeEveryMs = 5_000;
const buckets = 42;

/** What this process does on a queue, counted in memory and written down every few seconds. What it has not written is lost with it. */
export class Tally {
  readonly #store: QueueStore;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#write(), { mayEnd: true });
  readonly #ran: number[] = Array.from({ length: buckets }, () => 0);
  readonly #waited: number[] = Array.from({ length: buckets }, () => 0);
  #isDirty = false;
  #added = 0;
  #completed = 0;
  #failed = 0;
  #dead = 0;

  constructor(store: QueueStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  noteAdded(count: number): void {
    this.#added += count;
    this.#touch();
  }

  /** An attempt has ended, after `ranMs`; of a first one it is known how long the job had waited. */
  noteAttempt(end: "completed" | "failed" | "dead", ranMs: number, waitedMs: number | undefined): void {
    if (end === "completed") this.#completed++;
    else this.#failed++;
    if (end === "dead") this.#dead++;
    count(this.#ran, ranMs);
    if (waitedMs !== undefined) count(this.#waited, waitedMs);
    this.#touch();
  }

  /** A job died without an attempt. */
  noteDead(): void {
    this.#dead++;
    this.#touch();
  }

  /** Writes what there is. */
  async stop(): Promise<void> {
    await this.#alarm.stop();
    await this.#write();
  }

  #touch(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#alarm.set(writeEveryMs);
  }

  async #write(): Promise<void> {
    if (!this.#isDirty) return;
    // What could not be written goes with the next.
    if (!this.#store.connection.isReady) return this.#alarm.set(writeEveryMs);
    this.#isDirty = false;
    const counts = this.#take();
    if (counts.size === 0) return;
    try {
      await this.#store.rates.add(counts);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the rates of a queue could not be written");
    }
  }

  #take(): Map<string, number> {
    const counts = new Map<string, number>();
    const note = (name: string, number: number): void => void (number > 0 && counts.set(name, number));
    note("added", this.#added);
    note("completed", this.#completed);
    note("failed", this.#failed);
    note("dead", this.#dead);
    this.#ran.forEach((number, index) => note(`r${index}`, number));
    this.#waited.forEach((number, index) => note(`w${index}`, number));
    this.#added = this.#completed = this.#failed = this.#dead = 0;
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
