/*
 * DESIGN. What is in the held list and unknown here was taken by a command whose answer got lost, and is begun now; what had ended here and
 * is still in it is handed in once more; what had ended and is not in it, has ended. When that is read: work/doubt.ts.
 */
import type { Logger } from "../../runtime/logger.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Doubt } from "../../work/doubt.ts";
import type { Lease } from "../../work/lease.ts";
import type { Disposal } from "./disposal.ts";
import type { HeldJob, HeldJobs } from "./held-jobs.ts";

/** What the held list showed. */
export interface Reading<Data> {
  /** Elements that nothing was known of. */
  readonly found: readonly string[];
  /** These had ended here, and are still held. */
  readonly again: ReadonlyMap<HeldJob<Data>, Disposal>;
  /** These had ended here, and Valkey knows. */
  readonly ended: ReadonlyMap<HeldJob<Data>, Disposal>;
}

/** A worker's commands, as far as one of them may fail while the others do not. */
export type Command = "settle" | "take" | "end" | "return" | "wait";

interface ReconcilerSetup<Data> {
  readonly store: QueueStore;
  readonly lease: Lease<Beat>;
  readonly doubt: Doubt<HeldJob<Data>, Command>;
  readonly logger: Logger;
}

/** Finds out what a worker really holds, whenever that is in doubt. */
export class Reconciler<Data> {
  readonly #setup: ReconcilerSetup<Data>;
  readonly #held: HeldJobs<Data>;
  #unsure = new Map<HeldJob<Data>, Disposal>();
  #isReading = false;

  constructor(held: HeldJobs<Data>, setup: ReconcilerSetup<Data>) {
    this.#held = held;
    this.#setup = setup;
  }

  /** Jobs that have ended of which it is not known whether Valkey knows. */
  get unsure(): number {
    return this.#unsure.size;
  }

  /** The job has ended, and it is not known whether Valkey knows. */
  doubtEnd(job: HeldJob<Data>, disposal: Disposal): void {
    this.#unsure.set(job, disposal);
  }

  /** What is held is being read: until that is followed nothing may change it. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Reads the list, tries until that works, and calls `follow`; but not when there is nothing to do any more: the lease went, or the worker stopped. */
  async read(follow: (reading: Reading<Data>) => void): Promise<void> {
    const { store, lease, doubt } = this.#setup;
    this.#isReading = true;
    try {
      const elements = await doubt.resolve(async () => {
        if (!(await store.connection.whenReady(1_000, doubt.signal))) return undefined;
        // A list whose lease has ended is not this worker's to read.
        await lease.beat();
        return store.holding.held(lease.name);
      });
      if (elements) follow(this.#reconcile(elements));
    } finally {
      this.#isReading = false;
    }
  }

  /** Forgets everything of a lease that is lost. Returns the jobs of which it is not known whether Valkey knows their end. */
  reset(): readonly HeldJob<Data>[] {
    const unsure = [...this.#unsure.keys()];
    this.#unsure.clear();
    return unsure;
  }

  #reconcile(elements: readonly string[]): Reading<Data> {
    const unsure = this.#unsure;
    const { unknown, stillHeld, vanished } = this.#held.reconcile(elements, [...unsure.keys()]);
    this.#unsure = new Map();
    this.#setup.doubt.clear();
    for (const job of vanished) this.#setup.logger.debug({ id: job.element?.id }, "a job is not in the held list any more");
    const again = new Map<HeldJob<Data>, Disposal>();
    const ended = new Map<HeldJob<Data>, Disposal>();
    for (const [job, disposal] of unsure) (stillHeld.has(job) ? again : ended).set(job, disposal);
    return { found: unknown, again, ended };
  }
}
