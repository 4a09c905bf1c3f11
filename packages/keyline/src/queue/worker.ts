/*
 * DESIGN. A worker, from taking a job to its end:
 *
 *   exchange   takes elements into the worker's held list                       (Valkey)
 *   worker     decodes them and begins an attempt with each                     (this file)
 *   runner     calls the handler, one job or one batch at a time                (runner.ts)
 *   judge      says what the outcome comes to                                   (disposal.ts)
 *   record     writes that to the job's row, where there is one                 (PostgreSQL)
 *   exchange   takes the element out of the held list                           (Valkey)
 *
 * Three duties go along: the lease, the rescuer and the promoter.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError, toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { checkOptionNames, checkTimeout } from "../runtime/options.ts";
import { delay, Notice } from "../runtime/waiting.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import type { Beat, QueueLists } from "../valkey/queue/queue-lists.ts";
import { WorkerReport, type WorkerEvents } from "./worker-report.ts";
import type { RunningJob, SettleAccess } from "./attempt.ts";
import { judge, record, type Ending } from "./disposal.ts";
import { Exchange } from "./exchange.ts";
import type { HeldJob } from "./held-jobs.ts";
import { Intake } from "./intake.ts";
import type { Job } from "./job.ts";
import type { JobRecord } from "./job-record.ts";
import { createLease } from "./lease.ts";
import type { QueuePolicy } from "./options.ts";
import type { Outcome } from "../work/outcome.ts";
import type { Lease } from "../work/lease.ts";
import type { Verdict } from "../work/verdict.ts";
import { Rescuer } from "./rescuer.ts";
import type { Runner } from "./runner.ts";
import { Promoter } from "./promoter.ts";

export type { WorkerEvents } from "./worker-report.ts";

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
const stopOptionNames = new Set(["timeout"]);

/** Takes jobs of one queue and runs them until it is stopped. */
export class Worker<Data> {
  readonly #setup: WorkerSetup<Data>;
  readonly #report: WorkerReport<Data>;
  readonly #lease: Lease<Beat>;
  readonly #exchange: Exchange<Data>;
  readonly #runner: Runner<Data>;
  readonly #rescuer: Rescuer;
  readonly #promoter: Promoter;
  readonly #intake: Intake<Data>;
  readonly #changed = new Notice();
  readonly #impatient = new AbortController();
  readonly #abandoned = new AbortController();
  /** Jobs that were taken and whose attempt has not ended. */
  #occupied = 0;
  /** Those of them that the runner has. */
  #begun = 0;
  /** Jobs whose attempt has ended and whose element is still held. */
  #ending = 0;
  #isIdle = false;
  #returning: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** @internal */
  constructor(setup: WorkerSetup<Data>) {
    const { lists, logger, policy } = setup;
    this.#setup = setup;
    this.#report = new WorkerReport(setup);
    this.#lease = createLease(lists, policy.leaseMs, {
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
    this.#promoter = new Promoter(lists, logger);
    for (const duty of [this.#rescuer, this.#promoter, this.#lease]) duty.start();
  }

  /** Calls `listener` at every such event until the returned function is called. Errors without a listener are logged. */
  on<Name extends keyof WorkerEvents<Data> & string>(name: Name, listener: (...values: WorkerEvents<Data>[Name]) => void): () => void {
    return this.#report.on(name, listener);
  }

  /**
   * Takes no more jobs, waits for those that run, and gives back what has not started. After `timeout` milliseconds (default: no
   * limit) the signals of those that still run are aborted, and they are given back too, without counting the attempt. May be
   * called again: of several timeouts the first to end counts. Throws INVALID_OPTION.
   */
  async stop(options: { readonly timeout?: number } = {}): Promise<void> {
    checkOptionNames("stop", options, stopOptionNames);
    checkTimeout(options.timeout, 0);
    if (options.timeout !== undefined) setTimeout(() => this.#impatient.abort(), options.timeout).unref();
    this.#stopping ??= this.#stop();
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
    if (held.phase === "running" && !this.#stopping) {
      this.#begun++;
      this.#runner.run({ held, job }, this.#judge);
    } else {
      // It took so long to look at that the lease went, or the worker is to stop: then it is given back.
      this.#occupied--;
      this.#exchange.pumpSoon();
    }
  }

  readonly #judge = ({ held }: RunningJob<Data>, outcome: Outcome): void => {
    this.#begun--;
    this.#finish(held, judge(held, outcome, this.#setup.policy));
  };

  /** The attempt is over: frees its place and sees to the job's end. */
  #finish(held: HeldJob<Data>, verdict: Verdict): void {
    this.#occupied--;
    this.#changed.notify();
    if (this.#exchange.isEmpty) this.#noteEmpty();
    if (held.phase === "lost") {
      // Its lease went while it ran.
      if (verdict.kind !== "drop" || verdict.error) this.#report.leaseLost(held);
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
    if (ending && held.phase === "ended") {
      if (this.#setup.record) held.phase = "recorded";
      this.#exchange.end(held, ending);
    } else if (ending && this.#setup.record) {
      // The lease went meanwhile: what was committed counts, whoever has the element now.
      this.#report.ended(held.job, verdict);
    }
    this.#exchange.pumpSoon();
  }

  /** Tries until it works: a job whose end could not be recorded must not be forgotten in the held list. Undefined when the worker was stopped meanwhile. */
  async #insist<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    while (!this.#abandoned.signal.aborted) {
      try {
        return await work();
      } catch (error) {
        this.#report.error(toError(error));
        await delay(1_000, this.#abandoned.signal);
      }
    }
    return undefined;
  }

  #noteEnded(held: HeldJob<Data>, ending: Ending): void {
    this.#ending--;
    if (ending.kind === "retry") this.#promoter.expect(ending.delayMs);
    if (held.verdict) this.#report.ended(held.job, held.verdict);
    this.#changed.notify();
  }

  #noteMissed(held: HeldJob<Data>): void {
    this.#ending--;
    this.#noteLost(held);
    this.#changed.notify();
  }

  /** The job had ended, and its element was not this worker's any more. With a record, what was committed counts. */
  #noteLost(held: HeldJob<Data>): void {
    if (held.phase === "recorded" && held.verdict) this.#report.ended(held.job, held.verdict);
    else if (!this.#setup.record) this.#report.leaseLost(held);
  }

  #noteEmpty(): void {
    if (this.#occupied > 0 || this.#isIdle) return;
    this.#isIdle = true;
    this.#report.idle();
  }

  #followBeat({ heldCount, nextDueMs, endedWorker }: Beat): void {
    this.#exchange.compare(heldCount);
    this.#promoter.expect(nextDueMs);
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
      } else {
        this.#noteLost(held);
      }
      held.phase = "lost";
    }
    this.#ending = 0;
    this.#changed.notify();
    this.#setup.logger.warn({ queue: this.#setup.queue, jobs: count }, "a worker lost its lease; it begins a new one");
    if (count > 0) this.#report.error(error);
    if (!this.#stopping) this.#lease.renew();
  }

  async #isStillOwner(held: HeldJob<unknown>): Promise<boolean> {
    if (!this.#lease.isCertain && this.#lease.isHeld) await this.#lease.confirm();
    return held.phase === "running";
  }

  async #stop(): Promise<void> {
    const { signal } = this.#impatient;
    await this.#exchange.stopTaking();
    this.#runner.flush();
    while (this.#begun > 0 && !signal.aborted) await this.#changed.wait(undefined, signal);
    const isPatient = this.#setup.lists.connection.isReady;
    if (this.#ending > 0 || !this.#exchange.isQuiet) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(isPatient ? 30_000 : 2_000)]);
      while (this.#ending > 0 && !limit.aborted) await this.#changed.wait(undefined, limit);
      await this.#exchange.drained(limit);
    }
    const stopped = new KeylineError("STOPPED", `The worker of queue ${this.#setup.queue} stopped; the job is given back`);
    for (const held of this.#exchange.held()) if (held.phase === "running") held.job?.abort(stopped);
    this.#abandoned.abort(stopped);
    await Promise.all([this.#promoter.stop(), this.#rescuer.stop()]);
    await this.#lease.giveBack();
    await this.#lease.stop();
    this.#exchange.close();
    this.#setup.blocking.close();
    this.#setup.onStopped();
  }
}
