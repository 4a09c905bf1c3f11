/*
 * DESIGN. A step is a transaction of its own that remembers what it came to, in rows beside the job's. So a handler that is run again, after a crash, a retry or
 * a Snooze, goes quickly over what was done and on with what was not.
 *
 * - The transaction begins with a lock on the job's row (`keyline.begin_step`), which asks, as a settle does, whether this attempt is the latest. What comes
 *   meanwhile, another attempt or a settle, waits for its end and finds the step remembered. So it is remembered once, and its effects are there once.
 * - It goes through the same loop as a settle (postgres/settle/settlement.ts): a conflict, or an outage, is answered by the whole of it once more. When it was committed
 *   after all, the claim finds it known, and the function is not called.
 * - Steps of the same moment share a transaction (postgres/settle/settle-lanes.ts): all of them are begun with one statement, and what they came to is written with one, which
 *   travels with the COMMIT.
 * - Nothing is guessed, other than with a settle: what a step does outside of the transaction is not to be done again, so its function is called only once
 *   PostgreSQL has said that it is owed.
 * - A fresh job asks for nothing it may remember: the first claim that finds a step known has all of them read.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { originalOf } from "../../postgres/client/lent-client.ts";
import type { Transaction } from "../../postgres/client/options.ts";
import type { ParkedRows } from "../../postgres/job/parked-rows.ts";
import type { RememberedStep, StepRow, StepTable } from "../../postgres/job/step-table.ts";
import { SettleLanes } from "../../postgres/settle/settle-lanes.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { parseJson, toJson } from "../../runtime/json.ts";
import type { Outcome } from "../../work/outcome.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import type { HeldJob } from "../worker/held-jobs.ts";
import type { Job } from "../job.ts";
import type { Parked } from "./parked.ts";
import { invalidStep, notHeld, otherKind, StepNames, tooMany } from "./step-names.ts";

/** So large may what a step returns be, and the data of a signal. */
export const mostBytes = 65_536;

/**
 * Commits what `effects` writes together with what it returns, in one short transaction, and resolves to that: as JSON brings it back. When the handler is run again, after a crash, a
 * retry or a Snooze, the same name is answered from what is remembered, and `effects` is not called. A name is used once in a run.
 *
 * `effects` may be called again after a conflict or a lost connection, so it should only write through `tx`. Throws what it throws: nothing is remembered then. Throws INVALID_STEP, and
 * LEASE_LOST when the job was given to somebody else; NOT_SERIALIZABLE and PAYLOAD_TOO_LARGE for a value that is no JSON, or of more than 64 KiB.
 */
export type Step = <Value>(name: string, effects: (tx: Transaction) => Promise<Value>) => Promise<Value>;

/** What the steps of a queue's jobs need of their record. */
export class StepRecord {
  readonly table: StepTable;
  readonly parked: ParkedRows;
  readonly lanes: SettleLanes<StepRow>;

  constructor(table: StepTable, parked: ParkedRows) {
    this.table = table;
    this.parked = parked;
    this.lanes = new SettleLanes<StepRow>(table);
  }
}

export interface StepsParts<Data> {
  readonly held: HeldJob<Data>;
  readonly job: Job<Data>;
  readonly record: StepRecord;
  /** Throws why the job is not this worker's any more. */
  checkHeld(): Promise<void>;
  /** Somebody cancelled the job. */
  isCancelled(): Promise<boolean>;
  /** The job was settled by this run, or is about to be. */
  isSettled(): boolean;
}

/** Whose step is being done: a step within a step would wait for the lock that the outer one holds. */
const doing = new AsyncLocalStorage<unknown>();

/** The steps of one run of a handler: one after the other. */
export class Steps<Data> {
  readonly #parts: StepsParts<Data>;
  readonly #names: StepNames;
  #known: Map<string, RememberedStep> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #underWay = 0;
  #lost: Error | undefined;
  #parked: Parked | undefined;
  /** That of the step which is being done. */
  #tx: Transaction | undefined;

  constructor(parts: StepsParts<Data>) {
    this.#parts = parts;
    this.#names = new StepNames(parts.job);
  }

  /** Throws INVALID_STEP while a step is under way, whose lock the settle would wait for; and why the attempt has ended, where it has. */
  checkSettle(): void {
    if (this.#parked) throw this.#parked;
    if (this.#underWay === 0) return;
    const { id, queue } = this.#parts.job;
    throw new KeylineError(
      "INVALID_STEP",
      `settle was called while a step of job ${id} of queue ${queue} was under way: await the step first`,
    );
  }

  readonly step: Step = (name, effects) => this.inTurn("step", name, () => this.#step(name, effects));

  /** The outcome where the steps know it better than the handler does. Waits for what is under way. */
  async outcome(): Promise<Outcome | undefined> {
    await this.#last;
    if (this.#parked) return { kind: "snoozed", delayMs: this.#parked.delayMs };
    return this.#lost && { kind: "lost", error: this.#lost };
  }

  /** What is remembered under the name, where that is known here. */
  remembered(name: string): RememberedStep | undefined {
    return this.#known?.get(name);
  }

  /** Whether this is the transaction of the step that is being done. */
  isWithin(tx: object): boolean {
    return this.#tx !== undefined && originalOf(tx) === originalOf(this.#tx);
  }

  /** Ends the attempt: nothing can be done any more in this run. */
  end(parked: Parked): Parked {
    this.#parked = parked;
    return parked;
  }

  /** Does it when everything before it has ended. Its name may be used once. */
  inTurn<Value>(what: string, name: string, work: () => Promise<Value>): Promise<Value> {
    try {
      const { job, isSettled } = this.#parts;
      if (doing.getStore() === this) throw invalidStep(job, [what, name], "is within another step: end that one first");
      if (isSettled()) throw invalidStep(job, [what, name], "comes after settle, which ends the job");
      this.#names.use(what, name);
    } catch (error) {
      return Promise.reject(toError(error));
    }
    this.#underWay++;
    const done = this.#last.then(() => this.#run(name, work));
    // Its end counts also for a handler that does not wait for it.
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #run<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
    try {
      const ended = this.#parked ?? this.#lost;
      if (ended) throw ended;
      return await work();
    } catch (error) {
      this.#names.free(name);
      if (error instanceof KeylineError && (error.code === "LEASE_LOST" || error.code === "JOB_CANCELLED")) this.#lost = error;
      throw error;
    } finally {
      this.#underWay--;
    }
  }

  async #step<Value>(name: string, effects: (tx: Transaction) => Promise<Value>): Promise<Value> {
    const { held, job, record } = this.#parts;
    const known = this.remembered(name);
    if (known) return this.#answer(known) as Value;
    await this.#parts.checkHeld();
    if (!held.row) throw notHeld(job);
    // As if it had been delivered before: nothing is guessed.
    const row: StepRow = { ...held.row, isAgain: true, step: name };
    const settled = await record.lanes.settle({
      rows: [row],
      effects: async (tx) => {
        this.#tx = tx;
        const value = await doing.run(this, () => effects(tx)).finally(() => (this.#tx = undefined));
        row.value = value === undefined ? undefined : toJson(`step ${JSON.stringify(name)} of job ${job.id}`, value, mostBytes);
      },
      signal: job.signal,
    });
    if (settled.has(row.id)) return (row.value === undefined ? undefined : parseJson(row.value)) as Value;
    if (row.answer === "full") throw tooMany(job, ["step", name]);
    if (row.answer === "lost") throw (await this.#parts.isCancelled()) ? new JobCancelledError(job) : notHeld(job);
    const remembered = (await this.#recall()).get(name);
    if (!remembered) throw notHeld(job);
    return this.#answer(remembered) as Value;
  }

  async #recall(): Promise<Map<string, RememberedStep>> {
    const { record, job } = this.#parts;
    const steps = await record.table.recall(job.id);
    return (this.#known = new Map(steps.map((step) => [step.name, step])));
  }

  #answer({ name, kind, value }: RememberedStep): unknown {
    if (kind !== "step") throw otherKind(this.#parts.job, ["step", name]);
    return value === null ? undefined : parseJson(value);
  }
}
