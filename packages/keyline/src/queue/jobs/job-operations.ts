import type { TransactionClient } from "../../postgres/client/options.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { checkOptionNames } from "../../runtime/options.ts";
import { checkId } from "../../runtime/names.ts";
import type { AddCheck } from "../add/add-check.ts";
import { checkFamilyView, type FamilyViewOptions, type JobFamily } from "../families/family-view.ts";
import type { QueueParts } from "../queue-parts.ts";
import type { CancelResult } from "./cancel-steps.ts";
import { checkCancelOptions, type CancelOptions } from "./job-filter.ts";
import { Jobs } from "./jobs.ts";
import type { ListedJobs } from "./job-list.ts";
import type { JobsOptions } from "./jobs-options.ts";
import type { QueuedJob } from "./queued-job.ts";
import type { ChangesWithin } from "./changes-within.ts";
import { changeOptionNames, checkChanges, type ChangeOptions, type JobChanges, type UpdateResult } from "./update-options.ts";
import { asAct } from "../../valkey/client/as-act.ts";
import { asRead } from "../../valkey/client/as-read.ts";

const noOptions = {};

/** What can be asked of single jobs of a queue, and done to them. */
export abstract class JobOperations<Input> {
  abstract readonly name: string;
  readonly #parts: QueueParts;
  readonly #check: AddCheck<Input>;
  readonly #jobs: Jobs<Input>;

  protected constructor(parts: QueueParts, check: AddCheck<Input>) {
    this.#parts = parts;
    this.#check = check;
    this.#jobs = new Jobs(parts);
  }

  /**
   * A job and where it is at this moment, with what belongs to it: its worker, its steps, the job above it and those below it; undefined where there is none and nothing is
   * remembered of it. On a plain queue it is looked for in all of the queue, page by page.
   *
   * @example
   * const job = await emails.job(id);
   * console.log(job?.state, job?.attempts, job?.error);
   */
  job(id: string): Promise<QueuedJob<Input> | undefined> {
    return this.#parts.door.accept(async () => asRead(this.#jobs.find(checkId(id))));
  }

  /**
   * A job with what is below it, level by level up to `limit` jobs, and who is above it; undefined where there is no such job. `next` of each is where its further children
   * begin. On a plain queue what is below a child is told until that one has ended, and who is above as far as parents wait for their children. Rejects with INVALID_ID, INVALID_OPTION
   * and INVALID_CURSOR before anything is sent.
   *
   * @example
   * const family = await orders.family(id);
   * for (const child of family?.children ?? []) console.log(child.queue, child.id, child.state);
   */
  family(id: string, options: FamilyViewOptions = noOptions): Promise<JobFamily | undefined> {
    return this.#parts.door.accept(async () => asRead(this.#jobs.family(checkId(id), checkFamilyView(options))));
  }

  /**
   * The jobs that have not ended and those that are dead, or those of a `state` or a `group`, or with a text in their data or their error, page by page as they are iterated. On a transactional queue in the order of
   * their ids, but for those of a group and parked ones (in the order of adding, dead ones last) and dead ones (in the order of their deaths), and one that is there all the time is met once. On a plain
   * queue they are read where they are: one that moves meanwhile may be met twice or not at
   * all. A search ends after 100,000 jobs, whether any of them fits or not: `cursor` of what this returns is where it goes on. Throws INVALID_OPTION and INVALID_CURSOR at once.
   *
   * @example
   * for await (const job of emails.jobs({ state: "scheduled", limit: 100 })) console.log(job.id, job.dueAt, job.cursor);
   */
  jobs(options: JobsOptions = noOptions): ListedJobs<Input> {
    return this.#jobs.list(options);
  }

  /**
   * Makes a scheduled job due now: one that waits for its own time, or for its next attempt. Returns false when it is not scheduled. With `tx` it is due by the COMMIT of that transaction.
   *
   * @example
   * await emails.promote(id);
   */
  promote(id: string, options: ChangeOptions = noOptions): Promise<boolean> {
    return this.#parts.door.accept(async () => {
      checkId(id);
      const tx = this.#txOf("promote", options);
      const promoted = tx ? tx.changes.promote(tx.client, id) : this.#parts.promotion.promote(id);
      return asAct(promoted, `promote of job ${id}`);
    });
  }

  /**
   * Changes a job that no worker has: its data, when it is due, its priority. When this has resolved with `updated: true`, whoever runs it gets it as it was changed; where Valkey
   * comes back with an older memory an attempt may still begin with what was there before, of which nothing is committed on a transactional queue. Where it is with a worker, parked or dead, or has ended, nothing is changed, and `state` says so. One that waits for its next attempt can be changed too.
   *
   * With `tx`, on a transactional queue, it is changed by the COMMIT of that transaction and by nothing else; until its end nobody begins the job.
   *
   * Rejects, before anything is written, with INVALID_ID, INVALID_OPTION, NOT_TRANSACTIONAL, NOT_IN_TRANSACTION, and for the data with what `add` throws; and with VALKEY_UNAVAILABLE,
   * POSTGRES_UNAVAILABLE (the same call can be made again) and OUTCOME_UNKNOWN.
   *
   * @example
   * const { updated, state } = await emails.update(id, { data: { to: "b@example.com" }, delay: 60_000 });
   */
  update(id: string, changes: JobChanges<Input>, options: ChangeOptions = noOptions): Promise<UpdateResult> {
    return this.#parts.door.accept(async () => {
      checkId(id);
      const tx = this.#txOf("update", options);
      const checked = await checkChanges(changes, this.#check);
      const updated = tx ? tx.changes.update(tx.client, id, checked) : this.#parts.updates.update(id, checked);
      return asAct(updated, `update of job ${id}`);
    });
  }

  /**
   * Cancels a job, and says what it was. One that waits or is scheduled is gone when this resolves. One that runs has its `signal` aborted within a second, with
   * JOB_CANCELLED, and is not tried again; on a transactional queue no settle of it commits from then on. A dead letter stays. Throws INVALID_ID,
   * VALKEY_UNAVAILABLE and, for a transactional queue, POSTGRES_UNAVAILABLE: the same call can be made again.
   *
   * @example
   * const was = await emails.cancel(id); // "waiting", "scheduled", "running", "dead" or "unknown"
   */
  cancel(id: string): Promise<CancelResult>;
  /**
   * Cancels the jobs that fit, page by page, and returns how many. A filter is required, or `all: true`. What is added meanwhile may be met or not.
   *
   * @example
   * await emails.cancel({ group: "customer-7" });
   */
  cancel(options: CancelOptions): Promise<number>;
  cancel(what: string | CancelOptions): Promise<CancelResult | number> {
    const { door, canceller } = this.#parts;
    return door.accept(async () => {
      if (typeof what !== "object") return asAct(canceller.cancel(checkId(what)), `cancel of job ${what}`);
      return asAct(canceller.cancelAll(checkCancelOptions(what), what), `cancel of queue ${this.name}`);
    });
  }

  #txOf(what: string, options: ChangeOptions): { readonly client: TransactionClient; readonly changes: ChangesWithin } | undefined {
    checkOptionNames(what, options, changeOptionNames);
    if (options.tx === undefined) return undefined;
    const changes = this.#parts.updates.within;
    if (changes) return { client: options.tx, changes };
    const message = `This queue is not transactional: make it with { transactional: true } to ${what} within a transaction`;
    throw new KeylineError("NOT_TRANSACTIONAL", message);
  }
}
