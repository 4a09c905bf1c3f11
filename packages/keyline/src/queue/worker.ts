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
import { KeylineError, toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { delay, Notice } from "../runtime/waiting.ts";
import type { ValkeyConnection } from "../valkey/connection.ts";
import type { Beat, QueueLists } from "../valkey/queue-lists.ts";
import type { RunningJob, SettleAccess } from "./attempt.ts";
import { judge, record, type Verdict } from "./ending.ts";
import { Exchange, leaseLost, type Ending } from "./exchange.ts";
import type { HeldJob } from "./held-jobs.ts";
import { Intake } from "./intake.ts";
import type { Job } from "./job.ts";
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

const settled: Ending = { kind: "settle" };

/** Takes jobs of one queue and runs them until it is stopped. */
export class Worker<Data> {
  readonly #setup: WorkerSetup<Data>;
  readonly #events: Emitter<WorkerEvents<Data>>;
  readonly #lease: Lease;
  readonly #exchange: Exchange<Data>;
  readonly #runner: Runner<Data>;
  readonly #rescuer: Rescuer;
  readonly #scheduler: Scheduler;
  readonly #intake: Intake<Data>;
  readonly #changed = new Notice();
  readonly #abandoned = new AbortController();
  /** Jobs whose attempt has begun and not ended. */
  #occupied = 0;
  /** Jobs whose attempt has ended and whose element is still held. */
  #ending = 0;
  #isIdle = false;
  #returning: Promise<void> | undefined;
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
    this.#exchange = new Exchange<Data>({
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
    this.#intake = new Intake({
      ...setup,
      start: (held) => held.job && this.#start(held, held.job),
      refuse: (held, verdict) => this.#finish(held, verdict),
      done: () => this.#runner.flush(),
      insist: (work) => this.#insist(work),
    });
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
    const database = this.#setup.record?.table.database;
    if (!database || database.isAvailable) return this.#runner.room(this.#occupied);
    // Nobody takes a job whose end could not be recorded.
    this.#returning ??= database.whenAvailable(this.#abandoned.signal).then(() => {
      this.#returning = undefined;
      this.#exchange.pumpSoon();
    });
    return 0;
  }

  #begin(jobs: readonly HeldJob<Data>[]): void {
    this.#isIdle = false;
    this.#occupied += jobs.length;
    this.#intake.begin(jobs);
  }

  #start(held: HeldJob<Data>, job: Job<Data>): void {
    if (held.phase === "lost") this.#occupied--;
    else this.#runner.run({ held, job }, this.#judge);
  }

  readonly #judge = ({ held }: RunningJob<Data>, outcome: Outcome): void => {
    this.#finish(held, judge(held, outcome, this.#setup.policy));
  };

  /** The attempt is over: frees its place and sees to the job's end. */
  #finish(held: HeldJob<Data>, verdict: Verdict): void {
    this.#occupied--;
    this.#changed.notify();
    if (this.#exchange.isEmpty) this.#noteEmpty();
    if (held.phase === "lost") {
      // Its lease went while it ran.
      if (verdict.kind !== "drop" || verdict.error) this.#reportError(leaseLost(this.#setup.queue, idOf(held)));
      this.#exchange.pumpSoon();
      return;
    }
    held.phase = "ended";
    held.verdict = verdict;
    this.#ending++;
    if (verdict.kind === "settle" && !this.#setup.record) this.#exchange.end(held, settled);
    else void this.#record(held, verdict);
  }

  async #record(held: HeldJob<Data>, verdict: Verdict): Promise<void> {
    const ending = await this.#insist(() => record(held, verdict, this.#setup.record, this.#abandoned.signal));
    if (ending && held.phase === "ended") this.#exchange.end(held, ending);
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

  #noteEnded(held: HeldJob<Data>, ending: Ending): void {
    this.#ending--;
    if (ending.kind === "retry") this.#scheduler.expect(ending.delayMs);
    if (held.verdict) this.#tell(held.job, held.verdict);
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

  #noteMissed(held: HeldJob<Data>): void {
    this.#ending--;
    // With a record, what was committed counts, whoever has the element now.
    if (this.#setup.record && held.verdict) this.#tell(held.job, held.verdict);
    else this.#reportError(leaseLost(this.#setup.queue, idOf(held)));
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
    const error = new KeylineError("LEASE_LOST", `A worker of queue ${this.#setup.queue} lost its lease: others have its jobs now`);
    let count = 0;
    for (const held of this.#exchange.reset()) {
      if (held.phase === "running") {
        held.job?.abort(error);
        count++;
      } else if (!this.#setup.record) {
        this.#reportError(leaseLost(this.#setup.queue, idOf(held)));
      }
      held.phase = "lost";
    }
    this.#ending = 0;
    this.#setup.logger.warn({ queue: this.#setup.queue, jobs: count }, "a worker lost its lease; it begins a new one");
    if (count > 0) this.#reportError(error);
    if (!this.#stopping) this.#lease.renew();
  }

  async #isStillOwner(held: HeldJob<unknown>): Promise<boolean> {
    if (!this.#lease.isCertain && this.#lease.isHeld) await this.#lease.confirm();
    return held.phase === "running";
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
    if (this.#ending > 0 || !this.#exchange.isQuiet) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(isPatient ? 30_000 : 2_000)]);
      while (this.#ending > 0 && !limit.aborted) await this.#changed.wait(10, limit);
      await this.#exchange.drained(limit);
    }
    const stopped = new KeylineError("STOPPED", `The worker of queue ${this.#setup.queue} stopped; the job is given back`);
    for (const held of this.#exchange.held()) if (held.phase === "running") held.job?.abort(stopped);
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

function idOf(held: HeldJob<unknown>): string {
  return held.job?.id ?? held.element?.id ?? "?";
}
