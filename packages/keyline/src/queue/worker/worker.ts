/*
 * A worker is a shift (work/shift.ts, which says how a job goes through it) on the list of one queue:
 *
 *   exchange.ts      takes elements into the worker's held list and out of it      (Valkey)
 *   disposal.ts      writes a job's end to its row, where there is one             (PostgreSQL)
 *   lease.ts         keeps the held list the worker's own
 *   duties.ts        what goes on beside it, one file each
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { DeadTable } from "../../postgres/job/dead-table.ts";
import { Emitter } from "../../runtime/emitter.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import { withFields, type Logger } from "../../runtime/logger.ts";
import type { Seam } from "../../runtime/probe.ts";
import type { ValkeyConnection } from "../../valkey/client/connection.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { StreamTails } from "../../valkey/client/stream-tails.ts";
import { Intake, NotToRun, type Doubts, type IntakeSetup } from "../../work/intake.ts";
import { Report, type ShiftEvents } from "../../work/report.ts";
import type { Rehearsal } from "../../work/shift-parts.ts";
import type { Runner } from "../../work/runner.ts";
import { Shift } from "../../work/shift.ts";
import type { Trade } from "../../work/trade.ts";
import { Discard, type Outcome } from "../../work/outcome.ts";
import { untilDone } from "../../work/until-done.ts";
import { verdictOf, type AttemptPolicy, type Verdict } from "../../work/verdict.ts";
import { failedAttempt } from "./attempt-history.ts";
import { disposalOf, type Disposal } from "./disposal.ts";
import type { Takes } from "./ahead.ts";
import { Exchange } from "./exchange.ts";
import type { Gatekeeper } from "../gates/gatekeeper.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { PlainQueueFamilies } from "../families/plain-queue-families.ts";
import { Job, type FamilySource } from "../job.ts";
import type { JobRecord } from "./job-record.ts";
import type { SettleAccess } from "./job-settle.ts";
import type { Lease } from "../../work/lease.ts";
import type { EventTeller } from "../events/event-teller.ts";
import type { Tally } from "../rates/tally.ts";
import { Telling } from "./telling.ts";
import { createDuties } from "./duties.ts";
import { createLease } from "./lease.ts";
import { tradeOf } from "./described.ts";
import type { QueuePolicy } from "../options.ts";
import { findUnfit } from "./turns.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import { isStub } from "../element.ts";
import type { ScheduleBook } from "../schedules/schedule-book.ts";

export interface WorkerEvents<Data> extends ShiftEvents<Job<Data>> {
  /** The job was cancelled while it ran: nothing else comes of it. */
  readonly cancelled: readonly [job: Job<Data>];
  /** The queue is empty and nothing runs. */
  readonly idle: readonly [];
}

export interface WorkerSetup<Data> {
  readonly queue: string;
  readonly store: QueueStore;
  readonly blocking: ValkeyConnection;
  readonly tails: StreamTails;
  readonly gatekeeper: Gatekeeper;
  readonly record: JobRecord | undefined;
  readonly plainFamilies: PlainQueueFamilies | undefined;
  readonly scheduleBook: ScheduleBook;
  readonly rehearsal: Rehearsal | undefined;
  readonly deadTable: DeadTable | undefined;
  readonly teller: EventTeller;
  readonly tally: Tally;
  readonly policy: QueuePolicy;
  readonly schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly logger: Logger;
  readonly seam: Seam;
  readonly largestTake: Takes<Data>["largestTake"];
  readonly aheadOf: Takes<Data>["aheadOf"];
  /** How many jobs it runs at a time at the most. */
  readonly concurrency: number;
  readonly blockMs: number;
  createRunner(access: SettleAccess | undefined): Runner<HeldJob<Data>, Job<Data>>;
  onStopped(): void;
}

const settled: Disposal = { kind: "settle" };

/** Takes jobs of one queue and runs them until it is stopped. */
export class Worker<Data> {
  readonly #setup: WorkerSetup<Data>;
  readonly #events: Emitter<WorkerEvents<Data>>;
  readonly #report: Report<HeldJob<Data>, Job<Data>>;
  readonly #telling: Telling;
  readonly #leaseName: () => string;
  readonly #shift: Shift<HeldJob<Data>, Job<Data>, Beat, Exchange<Data>>;

  /** @internal */
  constructor(given: WorkerSetup<Data>) {
    let lease: Lease<Beat> | undefined;
    const setup = { ...given, logger: withFields(given.logger, () => ({ worker: lease?.name })) };
    const { store, logger, policy, record, tally } = setup;
    const { counts } = tally;
    const trade = tradeOf<Data>(setup.queue);
    this.#setup = setup;
    this.#events = new Emitter(logger);
    this.#report = new Report<HeldJob<Data>, Job<Data>>(trade, { events: this.#events, counts, logger, seam: setup.seam });
    this.#leaseName = () => lease?.name ?? "";
    this.#telling = new Telling({ ...setup, leaseName: this.#leaseName, onError: (error) => this.#report.error(error) });
    const { results, ties, watch } = this.#telling;
    this.#shift = new Shift<HeldJob<Data>, Job<Data>, Beat, Exchange<Data>>({
      trade,
      report: this.#report,
      logger,
      counts,
      capacity: setup.concurrency,
      recordStore: record?.table.database,
      rehearsal: setup.rehearsal,
      createLease: (events) => createLease(store, policy.leaseMs, { logger, events, watch, record, gatekeeper: setup.gatekeeper }),
      createExchange: (parts) => {
        lease = parts.lease;
        return new Exchange<Data>({ ...setup, ...parts, trade, ties, maxAttemptsOf: (held) => policyOf(held, policy).maxAttempts });
      },
      createRunner: (confirmLease) => this.#telling.over(setup.createRunner(record && { record, confirmLease, results, seam: setup.seam })),
      createIntake: (events, signal) => new Intake(this.#intakeSetup(trade, signal), events),
      createDuties: (parts) => [...createDuties({ ...setup, ...parts, watch }), ...this.#telling.duties],
      verdictOf: (held, ended) => {
        const { isCancelled, attempt, waits } = held;
        const outcome: Outcome = waits ? { kind: "snoozed", delayMs: waits.delayMs } : ended;
        const counted = this.#telling.judge(held, outcome);
        if (isCancelled && attempt && outcome.kind !== "settled") return { kind: "drop", error: new JobCancelledError(attempt) };
        return verdictOf(held.attempts, counted, policyOf(held, policy));
      },
      conclude: (held, verdict, { exchange, signal }) => {
        if (record && isSettled(held, verdict)) held.phase = "recorded";
        if (held.phase === "recorded" || (verdict.kind === "settle" && !record)) exchange.end(held, settled);
        else void this.#dispose(held, verdict, { exchange, signal });
      },
      lostAtEnd: (held) => this.#noteLost(held),
    });
  }

  /** Calls `listener` at every such event until the returned function is called. Errors without a listener are logged. */
  on<Name extends keyof WorkerEvents<Data>>(name: Name, listener: (...values: WorkerEvents<Data>[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Takes no more jobs, waits for those that run, and gives back what has not started. After `timeout` milliseconds (default: no
   * limit) the signals of those that still run are aborted, and they are given back too, without counting the attempt. May be
   * called again: of several timeouts the first to end counts. Throws INVALID_OPTION.
   */
  async stop(options: { readonly timeout?: number } = {}): Promise<void> {
    await this.#shift.stop(options);
    this.#setup.onStopped();
  }

  #intakeSetup(trade: Trade<HeldJob<Data>>, signal: AbortSignal): IntakeSetup<HeldJob<Data>, Job<Data>, Data> {
    const { record, plainFamilies, schema, policy, queue } = this.#setup;
    const family: FamilySource | undefined =
      plainFamilies && ((job, held) => plainFamilies.life(held as HeldJob<unknown>, job, this.#leaseName));
    return {
      trade,
      schema,
      doubts: record && this.#doubtsOf(record, signal),
      read: ({ raw, element, problem, rowData }) => {
        if (!element) throw isStub(raw) ? new NotToRun() : new KeylineError("INVALID_ELEMENT", problem);
        // A child of it is dead: scripts/release.lua.
        if (element.dies !== undefined) throw new Discard(element.dies);
        return rowData ? parseJson(rowData.json) : element.data;
      },
      createAttempt: (held, data) => {
        const { element, attempts, isCancelled } = held;
        const job = new Job({
          id: element?.id ?? "",
          queue,
          data,
          attempt: attempts + 1,
          addedAt: element?.at ?? Date.now(),
          group: element?.group,
          schedule: element?.schedule,
          noteProgress: this.#telling.noteProgress,
          family,
          held,
        });
        if (isCancelled) job.abort(new JobCancelledError(job));
        return job;
      },
      policyOf: (held) => policyOf(held, policy),
    };
  }

  // A job that was delivered before may be settled by now, and one that was overtaken is somebody else's.
  #doubtsOf(record: JobRecord, signal: AbortSignal): Doubts<HeldJob<Data>> {
    return {
      isDoubtful: ({ element, isDoubtful }) =>
        element !== undefined && (isDoubtful || element.isAgain || element.attempts > 0 || element.group !== undefined || element.isLatest),
      findUnfit: (jobs) => untilDone(() => findUnfit(jobs, record.table), { signal, onError: (error) => this.#report.error(error) }),
    };
  }

  /** The record first, then Valkey. */
  async #dispose(
    held: HeldJob<Data>,
    verdict: Verdict,
    { exchange, signal }: { readonly exchange: Exchange<Data>; readonly signal: AbortSignal },
  ): Promise<void> {
    const { record } = this.#setup;
    const onError = (error: Error): void => this.#report.error(error);
    const keepMs = this.#telling.results.keepMsOf(held.element);
    const parts = { record, failed: failedAttempt(held, verdict), signal, keepMs, policy: policyOf(held, this.#setup.policy), onError };
    const disposal = await untilDone(() => disposalOf(held, verdict, parts), { signal, onError });
    // Of those that are completed the record has told.
    if (record && disposal?.kind === "settle" && held.element?.isChild && held.verdict?.kind !== "settle")
      record.families.releaser.noteEnded(this.#setup.queue, held.element.id);
    if (disposal && held.phase === "ended") {
      if (record) held.phase = "recorded";
      exchange.end(held, disposal);
    } else if (disposal && record) {
      // The lease went meanwhile.
      this.#noteRecorded(held, held.verdict ?? verdict);
    }
    exchange.pumpSoon();
  }

  #noteLost(held: HeldJob<Data>): void {
    if (held.phase === "recorded" && held.verdict) this.#noteRecorded(held, held.verdict);
    else if (!this.#setup.record) this.#report.leaseLost(held);
  }

  /** What was committed counts, whoever has the element now, and so does what the row said. */
  #noteRecorded(held: HeldJob<Data>, verdict: Verdict): void {
    this.#telling.count(held);
    this.#report.ended(held, verdict);
  }
}

/** Its handler has settled it: nothing is to be written any more. */
function isSettled({ element, result }: HeldJob<unknown>, verdict: Verdict): boolean {
  return verdict.kind === "drop" && verdict.error === undefined && element?.isChild === false && result === undefined;
}

function policyOf({ element }: HeldJob<unknown>, policy: QueuePolicy): AttemptPolicy {
  if (element?.maxAttempts === undefined) return policy;
  return { maxAttempts: element.maxAttempts, backoff: policy.backoff };
}
