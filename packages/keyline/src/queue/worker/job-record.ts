import { queueMicrotask } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import type { Logger } from "../../runtime/logger.ts";
import { isOutage } from "../../postgres/client/failures.ts";
import { isOnesOwn, nameRefused } from "../../postgres/client/refused-data.ts";
import { completeJobs, JobClaims, type CompletedRow } from "../../postgres/job/job-claims.ts";
import type { Failure } from "../../postgres/job/failed-rows.ts";
import type { JobTable } from "../../postgres/job/job-table.ts";
import type { ParkableRow } from "../../postgres/job/parked-rows.ts";
import { StepTable } from "../../postgres/job/step-table.ts";
import type { DeliveryNotes } from "../../postgres/job/delivery-notes.ts";
import type { JobRelay } from "../../postgres/job/job-relay.ts";
import { SettleLanes } from "../../postgres/settle/settle-lanes.ts";
import type { Settlement } from "../../postgres/settle/settlement.ts";
import type { QueueFamilies } from "../families/queue-families.ts";
import { StepRecord } from "../steps/steps.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

interface Completion {
  readonly job: CompletedRow;
  readonly resolve: (isOurs: boolean) => void;
  readonly reject: (error: Error) => void;
}

const maxCompletionsUnderWay = 2;
const maxCompletions = 500;
/** While so many are under way the next ones wait for their end, as what a statement costs by itself is as much as dozens of jobs; unless there are enough for a whole one. */
const fewestToWaitFor = 32;

/** A transactional queue's record in PostgreSQL, as its workers write to it. */
export class JobRecord {
  readonly table: JobTable;
  readonly notes: DeliveryNotes;
  readonly steps: StepRecord;
  readonly families: QueueFamilies;
  readonly #store: QueueStore;
  readonly #relay: JobRelay;
  readonly #lanes: SettleLanes;
  readonly #logger: Logger;
  #completions: Completion[] = [];
  #underWay = 0;
  #carried = 0;

  constructor(
    table: JobTable,
    parts: {
      readonly notes: DeliveryNotes;
      readonly store: QueueStore;
      readonly families: QueueFamilies;
      readonly relay: JobRelay;
      readonly logger: Logger;
    },
  ) {
    this.table = table;
    this.notes = parts.notes;
    this.families = parts.families;
    this.steps = new StepRecord(new StepTable(table), table.parked);
    this.#store = parts.store;
    this.#relay = parts.relay;
    this.#lanes = new SettleLanes(new JobClaims(table));
    this.#logger = parts.logger;
  }

  /** A worker has lost its lease: Valkey may have lost its memory. */
  noteLeaseLost(): void {
    this.#relay.lookAtEpochs();
  }

  /** Somebody who has not this queue has made rows ready that nobody delivers. */
  expectRows(): void {
    this.#relay.expectRows();
  }

  /** Ends jobs together with their effects. Returns the ids of those that this call ended; the others were settled before. */
  async settle(settlement: Settlement): Promise<ReadonlySet<string>> {
    const settled = await this.#lanes.settle(settlement);
    for (const { id } of settlement.rows) this.notes.forget(id);
    return settled;
  }

  /**
   * Ends a job without effects, in one statement with all that end while the one before is under way. Returns false when it was not this
   * worker's to end: it was settled before, or somebody has a later attempt. Throws NOT_STORABLE where PostgreSQL cannot store its result.
   */
  complete(job: CompletedRow): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#completions.push({ job, resolve, reject });
      queueMicrotask(() => this.#sendCompletions());
    });
  }

  /**
   * The attempt failed and the row waits for its next one. Returns undefined when the job is not this worker's to retry: it was settled, or
   * somebody has a later attempt. Else what is to be called once the element is on the schedule, and only then: where Valkey has lost the
   * element meanwhile, nothing may say that it was delivered, so that the relay brings it. Waits for PostgreSQL while that is away.
   */
  async retry(
    failure: Failure & { readonly id: string; readonly delayMs: number },
    signal: AbortSignal,
  ): Promise<(() => void) | undefined> {
    const { id } = failure;
    const tag = randomTag(12);
    return this.#insist(signal, async () => {
      // Read before the element is on the schedule, so that the note is never newer than the delivery.
      const epoch = await this.#store.memory.writtenEpoch().catch(() => null);
      const isOurs = await this.table.failed.retry(id, { ...failure, tag });
      if (!isOurs) return undefined;
      return () =>
        void (epoch !== null && (failure.heldParks > 0 ? this.#noteParked(id, failure.heldParks, epoch) : this.notes.note(epoch, [id])));
    });
  }

  /** What is to be called once the next element of a parked job is on the schedule. */
  async parked(id: string, { element, parks }: { readonly element: string; readonly parks: number }): Promise<() => void> {
    const epoch = await this.#store.memory.writtenEpoch().catch(() => null);
    return () => void (epoch !== null && this.#noteParked(id, parks, epoch, element));
  }

  // What is not noted the relay delivers again, and Valkey has it already.
  async #noteParked(id: string, parks: number, epoch: string, element?: string): Promise<void> {
    try {
      const isPresent = await this.table.parked.note(id, parks, epoch);
      // It was woken before it was on the schedule, and its new element is on its way.
      if (!isPresent && element !== undefined) await this.#store.schedule.remove(element);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message, queue: this.table.queue, id }, "the delivery of a parked job could not be noted");
    }
  }

  /** The job is a dead letter in its row. False when it was not this worker's to end: it was settled or cancelled, or somebody has a later attempt. */
  async bury(failure: Failure & { readonly id: string; readonly stack: string | undefined }, signal: AbortSignal): Promise<boolean> {
    this.notes.forget(failure.id);
    const tag = randomTag(12);
    return this.#insist(signal, () => this.table.failed.bury(failure.id, { ...failure, tag }));
  }

  /** An element of the job goes that was made before it was updated. The process may die before: then that is back, as one that was tried, and its next worker asks the row. */
  async bringChanged(row: ParkableRow): Promise<void> {
    this.notes.forget(row.id);
    if (await this.table.once.disownChanged(row)) this.#relay.expectRows();
  }

  /** What the handler has returned that settled without a result. Throws NOT_STORABLE. */
  async closeResult(
    id: string,
    result: { readonly json: string | undefined; readonly openIn: string },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#insist(signal, () => this.table.outcomes.close(id, result));
    } catch (error) {
      throw this.#refusal(error, id, result.json);
    }
  }

  async #insist<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error) || signal.aborted) throw error;
        await this.table.database.whenAvailable(signal);
      }
    }
  }

  #sendCompletions(): void {
    while (this.#maySend()) void this.#send(this.#completions.splice(0, maxCompletions));
  }

  #maySend(): boolean {
    const { length } = this.#completions;
    if (length === 0 || this.#underWay === maxCompletionsUnderWay) return false;
    return this.#carried < fewestToWaitFor || length >= maxCompletions;
  }

  async #send(completions: readonly Completion[]): Promise<void> {
    this.#underWay++;
    this.#carried += completions.length;
    try {
      const { ended, families } = await completeJobs(
        this.table,
        completions.map((completion) => completion.job),
      );
      if (families) this.families.releaser.noteFamilies(families);
      for (const { job, resolve } of completions) {
        this.notes.forget(job.id);
        if (!families && job.result?.isChild) this.families.releaser.noteEnded(this.table.queue, job.id);
        // Of two copies of a job only one has ended it.
        resolve(ended.has(job));
      }
    } catch (error) {
      const [first] = completions;
      if (first && isOnesOwn(error)) return await this.#sendApart(first, completions, error);
      this.#logger.warn({ error: toError(error).message, queue: this.table.queue }, "jobs could not be completed; it is tried again");
      for (const { reject } of completions) reject(toError(error));
    } finally {
      this.#underWay--;
      this.#carried -= completions.length;
      this.#sendCompletions();
    }
  }

  /** One of them has a result that is refused: the others go without it. */
  async #sendApart(first: Completion, completions: readonly Completion[], error: unknown): Promise<void> {
    const { length } = completions;
    const { id, result } = first.job;
    if (length === 1) return first.reject(toError(this.#refusal(error, id, result?.json)));
    await this.#send(completions.slice(0, length / 2));
    await this.#send(completions.slice(length / 2));
  }

  #refusal(error: unknown, id: string, result: string | undefined): unknown {
    return nameRefused(error, `job ${id} of queue ${this.table.queue}`, { result });
  }
}
