import type { JobTable } from "../../postgres/job/job-table.ts";
import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Lease } from "../../work/lease.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

const againMs = 500;
/** So often in a row a job that this worker was seen to hold is not known here before its mark is looked into. */
const patience = 4;

interface CancelWatchParts {
  readonly lease: Lease<Beat>;
  readonly held: () => Iterable<HeldJob<unknown>>;
  /** Only on a transactional queue: its rows decide. */
  readonly table: JobTable | undefined;
  readonly logger: Logger;
}

/**
 * The duty that aborts jobs of this worker that were cancelled. It is told of new marks, and looks again as long as there are any that may concern it: the
 * answer that brings a job may come later than the signal that says it was cancelled. It also takes away the marks of jobs that ended before it heard of them.
 */
export class CancelWatch implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #store: QueueStore;
  readonly #parts: CancelWatchParts;
  readonly #alarm = new Alarm(() => this.#look());
  /** Jobs that this worker was seen to hold and that are not known here: how often in a row. */
  #missed = new Map<string, number>();

  constructor(store: QueueStore, parts: CancelWatchParts) {
    this.#store = store;
    this.#parts = parts;
  }

  start(): void {
    // It is told when something was cancelled.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  look(): void {
    this.#alarm.set(0);
  }

  async #look(): Promise<void> {
    const { lease, logger } = this.#parts;
    if (!lease.isHeld) return this.#alarm.set(againMs);
    const { name } = lease;
    try {
      const marks = await this.#store.cancels.sweep(name);
      if (marks.size > 0) this.#alarm.set(againMs);
      const held = new Map([...this.#parts.held()].flatMap((job) => (job.element ? [[job.element.id, job] as const] : [])));
      const marked = [...marks.keys()].flatMap((id) => held.get(id) ?? []);
      await this.#abort(marked.filter(({ isCancelled, phase }) => !isCancelled && phase === "running"));
      await this.#forget(
        name,
        [...marks].flatMap(([id, wasSeen]) => (wasSeen && !held.has(id) ? [id] : [])),
      );
    } catch (error) {
      logger.debug({ error: toError(error).message }, "it could not be looked which jobs were cancelled; it is tried again");
      this.#alarm.set(againMs);
    }
  }

  // The record decides where there is one: a mark may be that of a job whose id was used again since.
  async #abort(jobs: readonly HeldJob<unknown>[]): Promise<void> {
    if (jobs.length === 0) return;
    const { table } = this.#parts;
    const cancelled = await table?.cancelled.areCancelled(jobs.flatMap(({ element }) => element?.id ?? []));
    for (const job of jobs) {
      if (cancelled && !cancelled.has(job.element?.id ?? "")) continue;
      job.isCancelled = true;
      if (job.phase === "running" && job.attempt) job.attempt.abort(new JobCancelledError(job.attempt));
    }
  }

  /** They ended before this worker heard that they were cancelled. Whether that is so is looked up: the answer that brings one may have got lost. */
  async #forget(worker: string, ids: readonly string[]): Promise<void> {
    this.#missed = new Map(ids.map((id) => [id, (this.#missed.get(id) ?? 0) + 1]));
    const gone = new Set(ids.filter((id) => (this.#missed.get(id) ?? 0) >= patience));
    if (gone.size === 0) return;
    for await (const found of this.#store.reads.ids(this.#store.keys.held(worker))) for (const id of found) gone.delete(id);
    if (gone.size > 0) await this.#store.cancels.forget(worker, [...gone]);
  }
}
