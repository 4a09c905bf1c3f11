/*
 * DESIGN. A worker, from taking a job to its end:
 *
 *   exchange   takes elements into the worker's held list                       (Valkey)
 *   worker     decodes them and begins an attempt with each                     (this file)
 *   runner     calls the handler, one job or one batch at a time                (runner.ts)
 *   judge      says what the outcome comes to                                   (ending.ts)
 *   record     writes that to the job's row, where there is one                 (PostgreSQL)
 *   exchange   takes the element out of the held list                           (Valkey)
 *
 * Three duties go along: the lease, the rescuer and the scheduler.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Emitter } from "../runtime/emitter.ts";
import { KeylineError, toError, ValidationError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { validate } from "../runtime/schema.ts";
import { delay, Notice } from "../runtime/waiting.ts";
import type { ValkeyConnection } from "../valkey/connection.ts";
import type { Beat, QueueLists } from "../valkey/queue-lists.ts";
import type { RunningJob, SettleAccess } from "./attempt.ts";
import type { Element } from "./element.ts";
import { judge, record, type Verdict } from "./ending.ts";
import { Exchange, leaseLost, type Ending } from "./exchange.ts";
import type { HeldJob } from "./held-jobs.ts";
import { Job } from "./job.ts";
import type { JobRecord } from "./job-record.ts";
import { Lease } from "./lease.ts";
import type { QueuePolicy } from "./options.ts";
import type { Outcome } from "./outcome.ts";
import { Rescuer } from "./rescuer.ts";
import type { Runner } from "./runner.ts";
import { Scheduler } from "./scheduler.ts";

export interface WorkerEvents<Data> extends Record<string, readonly unknown[]> {
  /** The job ended well, and with it its effects. */
  readonly completed: readonly [job: Job<Data>];
  /** The attempt failed; the next one begins after so many milliseconds. */
  readonly retried: readonly [job: Job<Data>, error: Error, delayMs: number];
  /** The job is a dead letter. Undefined where it could not even be read. */
  readonly dead: readonly [job: Job<Data> | undefined, error: Error];
  /** Something went wrong outside the handler, such as a lost lease. */
  readonly error: readonly [error: Error];
  /** The queue is empty and nothing runs. */
  readonly idle: readonly [];
}

export interface WorkerSetup<Data> {
  readonly queue: string;
  readonly lists: QueueLists;
  readonly blocking: ValkeyConnection;
  readonly record: JobRecord | undefined;
  readonly policy: QueuePolicy;
  readonly schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly logger: Logger;
  /** How many jobs one command takes at the most. */
  readonly largestTake: number;
  readonly blockMs: number;
  createRunner(access: SettleAccess | undefined): Runner<Data>;
  onStopped(): void;
}

/** Takes jobs of one queue and runs them until it is stopped. */
export class Worker<Data> {
  readonly #setup: WorkerSetup<Data>;
  readonly #events: Emitter<WorkerEvents<Data>>;
  readonly #lease: Lease;
  readonly #exchange: Exchange;
  readonly #runner: Runner<Data>;
  readonly #rescuer: Rescuer;
  readonly #scheduler: Scheduler;
  readonly #running = new Map<HeldJob, Job<Data> | undefined>();
  /** Jobs whose attempt has ended and whose element is still held. */
  readonly #ended = new Map<HeldJob, { readonly job: Job<Data> | undefined; readonly verdict: Verdict }>();
  readonly #changed = new Notice();
  readonly #abandoned = new AbortController();
  #occupied = 0;
  #isIdle = false;
  #stopping: Promise<void> | undefined;

  /** @internal */
  constructor(setup: WorkerSetup<Data>) {
    const { lists, logger, policy } = setup;
    this.#setup = setup;
    this.#events = new Emitter(logger);
    this.#lease = new Lease(lists, policy.leaseMs, {
      logger,
      events: {
        began: () => this.#exchange.pumpSoon(),
        renewed: (beat) => this.#followBeat(beat),
        lost: () => this.#dropLease(),
      },
    });
    this.#exchange = new Exchange({
      lists,
      blocking: setup.blocking,
      lease: this.#lease,
      room: () => this.#room(),
      largestTake: setup.largestTake,
      blockMs: setup.blockMs,
      logger,
      events: {
        taken: (jobs) => this.#begin(jobs),
        ended: (job, ending) => this.#noteEnded(job, ending),
        missed: (job) => this.#noteMissed(job),
        ranEmpty: () => this.#noteEmpty(),
        calmed: () => this.#runner.flush(),
      },
    });
    this.#runner = setup.createRunner(setup.record && { record: setup.record, isStillOwner: (job) => this.#isStillOwner(job) });
    this.#rescuer = new Rescuer(lists, setup.record?.table, logger);
    this.#scheduler = new Scheduler(lists, logger);
    for (const duty of [this.#rescuer, this.#scheduler, this.#lease]) duty.start();
  }

  /** Calls `listener` at every such event until the returned function is called. Errors without a listener are logged. */
  on<Name extends keyof WorkerEvents<Data> & string>(name: Name, listener: (...values: WorkerEvents<Data>[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Takes no more jobs, waits for those that run, and gives back what has not started. After `timeout` milliseconds (default: no
   * limit) the signals of those that still run are aborted, and they are given back too, without counting the attempt.
   */
  stop({ timeout }: { readonly timeout?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(timeout);
    return this.#stopping;
  }

  #room(): number {
    const isOpen = this.#setup.record?.table.database.isAvailable ?? true;
    if (!isOpen) void this.#setup.record?.table.database.whenAvailable(this.#abandoned.signal).then(() => this.#exchange.pumpSoon());
    return isOpen ? this.#runner.room(this.#occupied) : 0;
  }

  #begin(jobs: readonly HeldJob[]): void {
    this.#isIdle = false;
    this.#occupied += jobs.length;
    const { record: jobRecord } = this.#setup;
    const doubtful: HeldJob[] = [];
    for (const held of jobs) {
      this.#running.set(held, undefined);
      // A job that was delivered before may be settled by now.
      if (jobRecord && held.element && (held.element.isAgain || held.element.attempts > 0)) doubtful.push(held);
      else this.#prepare(held);
    }
    if (jobRecord && doubtful.length > 0) void this.#beginDoubtful(jobRecord, doubtful);
  }

  async #beginDoubtful(jobRecord: JobRecord, jobs: readonly HeldJob[]): Promise<void> {
    const elements = jobs.flatMap((held) => held.element ?? []);
    const open = await this.#insist(() => jobRecord.table.findOpen(elements.map((element) => element.id)));
    for (const held of jobs) {
      if (!this.#running.has(held)) {
        this.#occupied--;
        continue;
      }
      const attempts = held.element && open?.get(held.element.id);
      if (!open || (attempts !== undefined && attempts <= (held.element?.attempts ?? 0))) this.#prepare(held);
      else this.#finish(held, undefined, { kind: "drop", error: undefined });
    }
    this.#runner.flush();
  }

  /** Makes the job out of its element, and starts it unless that is the end of it. */
  #prepare(held: HeldJob): void {
    const { element } = held;
    if (!element) {
      return this.#finish(held, undefined, { kind: "bury", attempts: 0, error: new KeylineError("INVALID_ELEMENT", held.problem) });
    }
    const { schema } = this.#setup;
    if (!schema) return this.#start(held, this.#createJob(element, element.data as Data));
    try {
      const data = validate(`job ${element.id} of queue ${this.#setup.queue}`, schema, element.data);
      if (!(data instanceof Promise)) return this.#start(held, this.#createJob(element, data));
      data.then(
        (valid) => {
          this.#start(held, this.#createJob(element, valid));
          this.#runner.flush();
        },
        (error: unknown) => this.#refuse(held, error),
      );
    } catch (error) {
      this.#refuse(held, error);
    }
  }

  // Data that does not fit does not fit next time either.
  #refuse(held: HeldJob, error: unknown): void {
    const attempts = (held.element?.attempts ?? 0) + 1;
    if (error instanceof ValidationError) this.#finish(held, undefined, { kind: "bury", attempts, error });
    else this.#finish(held, undefined, judge(held, { kind: "failed", error: toError(error) }, this.#setup.policy));
  }

  #createJob({ id, attempts, at }: Element, data: Data): Job<Data> {
    return new Job({ id, queue: this.#setup.queue, data, attempt: attempts + 1, addedAt: at ?? Date.now() });
  }

  #start(held: HeldJob, job: Job<Data>): void {
    if (!this.#running.has(held)) {
      this.#occupied--;
      return;
    }
    const { maxAttempts } = this.#setup.policy;
    if (job.attempt > (held.element?.maxAttempts ?? maxAttempts)) {
      const error = new KeylineError(
        "WORKER_DIED",
        `Job ${job.id} was held by ${job.attempt - 1} workers that died: it may be what kills them`,
      );
      return this.#finish(held, job, { kind: "bury", attempts: job.attempt - 1, error });
    }
    this.#running.set(held, job);
    this.#runner.run({ held, job }, (running, outcome) => this.#judge(running, outcome));
  }

  #judge({ held, job }: RunningJob<Data>, outcome: Outcome): void {
    this.#finish(held, job, judge(held, outcome, this.#setup.policy));
  }

  /** The attempt is over: frees its place and sees to the job's end. */
  #finish(held: HeldJob, job: Job<Data> | undefined, verdict: Verdict): void {
    this.#occupied--;
    if (!this.#running.delete(held)) {
      // Its lease went while it ran.
      if (verdict.kind !== "drop" || verdict.error) this.#reportError(leaseLost(this.#setup.queue, job?.id ?? "?"));
      this.#exchange.pumpSoon();
      this.#changed.notify();
      return;
    }
    this.#ended.set(held, { job, verdict });
    if (verdict.kind === "settle" && !this.#setup.record) this.#exchange.end(held, { kind: "settle" });
    else void this.#record(held, verdict);
    this.#changed.notify();
  }

  async #record(held: HeldJob, verdict: Verdict): Promise<void> {
    const ending = await this.#insist(() => record(held, verdict, this.#setup.record, this.#abandoned.signal));
    if (ending && this.#ended.has(held)) this.#exchange.end(held, ending);
    this.#exchange.pumpSoon();
  }

  /** Tries until it works: a job whose end could not be recorded must not be forgotten in the held list. Undefined when the worker was stopped meanwhile. */
  async #insist<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    while (!this.#abandoned.signal.aborted) {
      try {
        return await work();
      } catch (error) {
        this.#reportError(toError(error));
        await delay(1_000, this.#abandoned.signal);
      }
    }
    return undefined;
  }

  #noteEnded(held: HeldJob, ending: Ending): void {
    const ended = this.#ended.get(held);
    this.#ended.delete(held);
    if (ending.kind === "retry") this.#scheduler.expect(ending.delayMs);
    if (ended) this.#tell(ended.job, ended.verdict);
  }

  #tell(job: Job<Data> | undefined, verdict: Verdict): void {
    switch (verdict.kind) {
      case "settle":
        if (job) this.#events.emit("completed", job);
        return;
      case "drop":
        if (verdict.error) this.#reportError(verdict.error);
        else if (job) this.#events.emit("completed", job);
        return;
      case "retry":
        if (job) this.#events.emit("retried", job, verdict.error ?? new Error("snoozed"), verdict.delayMs);
        return;
      case "bury":
        this.#setup.logger.warn({ queue: this.#setup.queue, id: job?.id, error: verdict.error.message }, "a job is a dead letter");
        this.#events.emit("dead", job, verdict.error);
    }
  }

  #noteMissed(held: HeldJob): void {
    const ended = this.#ended.get(held);
    this.#ended.delete(held);
    if (!ended) return;
    // With a record, what was committed counts, whoever has the element now.
    if (this.#setup.record) this.#tell(ended.job, ended.verdict);
    else this.#reportError(leaseLost(this.#setup.queue, ended.job?.id ?? held.element?.id ?? "?"));
  }

  #noteEmpty(): void {
    if (this.#occupied > 0 || this.#isIdle) return;
    this.#isIdle = true;
    this.#events.emit("idle");
  }

  #followBeat({ heldCount, nextDueMs, endedWorker }: Beat): void {
    this.#exchange.compare(heldCount);
    this.#scheduler.expect(nextDueMs);
    this.#rescuer.notice(endedWorker, () => void this.#lease.confirm());
    this.#exchange.pumpSoon();
  }

  /** The lease is lost: what runs, runs in vain, and what has ended and was not handed in is run again by others. */
  #dropLease(): void {
    this.#exchange.reset();
    const error = new KeylineError("LEASE_LOST", `A worker of queue ${this.#setup.queue} lost its lease: others have its jobs now`);
    for (const job of this.#running.values()) job?.abort(error);
    const count = this.#running.size;
    this.#running.clear();
    for (const [held, ended] of this.#ended) {
      if (!this.#setup.record) this.#reportError(leaseLost(this.#setup.queue, ended.job?.id ?? held.element?.id ?? "?"));
    }
    this.#ended.clear();
    this.#setup.logger.warn({ queue: this.#setup.queue, jobs: count }, "a worker lost its lease; it begins a new one");
    if (count > 0) this.#reportError(error);
    if (!this.#stopping) this.#lease.renew();
  }

  async #isStillOwner(held: HeldJob): Promise<boolean> {
    if (!this.#lease.isCertain && this.#lease.isHeld) await this.#lease.confirm();
    return this.#running.has(held);
  }

  #reportError(error: Error): void {
    if (this.#events.hasListeners("error")) this.#events.emit("error", error);
    else this.#setup.logger.error({ queue: this.#setup.queue, error: error.message }, "a worker reports an error");
  }

  async #stop(timeout: number | undefined): Promise<void> {
    const signal = timeout === undefined ? new AbortController().signal : AbortSignal.timeout(timeout);
    await this.#exchange.stopTaking();
    this.#runner.flush();
    while (this.#occupied > 0 && !signal.aborted) await this.#changed.wait(50, signal);
    const isPatient = this.#setup.lists.connection.isReady;
    if (this.#ended.size > 0 || !this.#exchange.isQuiet) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(isPatient ? 30_000 : 2_000)]);
      while (this.#ended.size > 0 && !limit.aborted) await this.#changed.wait(10, limit);
      await this.#exchange.drained(limit);
    }
    const stopped = new KeylineError("STOPPED", `The worker of queue ${this.#setup.queue} stopped; the job is given back`);
    for (const job of this.#running.values()) job?.abort(stopped);
    this.#abandoned.abort(stopped);
    await Promise.all([this.#scheduler.stop(), this.#rescuer.stop()]);
    await this.#giveBack();
    await this.#lease.stop();
    this.#exchange.close();
    this.#setup.blocking.close();
    this.#setup.onStopped();
  }

  async #giveBack(): Promise<void> {
    if (!this.#lease.isHeld || !this.#setup.lists.connection.isReady) return;
    try {
      for (let left = 1; left > 0;) left = (await this.#setup.lists.returnHeld(this.#lease.name, 200, "leaving"))?.left ?? 0;
    } catch (error) {
      this.#setup.logger.warn({ error: toError(error).message }, "jobs could not be given back; they are when the lease ends");
    }
  }
}
