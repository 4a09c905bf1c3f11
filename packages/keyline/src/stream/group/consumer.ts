/*
 * A consumer is a shift (work/shift.ts, which says how an entry goes through it) on one group of one stream:
 *
 *   exchange.ts        takes entries for this consumer and ends them                    (Valkey)
 *   group-record.ts    writes down dead letters, and knows what is settled already      (PostgreSQL)
 *   group-lease.ts     keeps what it took its own
 *   roster-duty.ts     says what this consumer is, and what it runs while somebody asks (work)
 *   rescuer.ts         has handed out again what consumers had that are gone
 *   floor-mover.ts     moves the group's floor in the record
 *   backlog-filler.ts  brings older entries from the record to a group that is behind
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { GroupCounts } from "../../runtime/counters.ts";
import { Emitter } from "../../runtime/emitter.ts";
import { withFields, type Logger } from "../../runtime/logger.ts";
import type { Seam } from "../../runtime/probe.ts";
import type { GroupBeat, Loss } from "../../valkey/stream/group-leases.ts";
import type { GroupLog } from "../../valkey/stream/group-log.ts";
import { Intake, type Doubts, type IntakeSetup } from "../../work/intake.ts";
import type { Lease } from "../../work/lease.ts";
import type { Rehearsal } from "../../work/shift-parts.ts";
import { Report, type ReportedEvents, type ShiftEvents } from "../../work/report.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import { Shift } from "../../work/shift.ts";
import { SingleRunner } from "../../work/single-runner.ts";
import { errorOf } from "../../work/watched.ts";
import type { Trade } from "../../work/trade.ts";
import { verdictOf, type Verdict } from "../../work/verdict.ts";
import { BacklogFiller } from "./backlog-filler.ts";
import { rosterDuty } from "./consumer-info.ts";
import { letterOf } from "./dead-letter.ts";
import { EntryAttempt } from "./entry-attempt.ts";
import { noSettling, settleOf, type ConsumeContext, type ConsumeHandler } from "./entry-settle.ts";
import { Exchange } from "./exchange.ts";
import { FloorMover } from "./floor-mover.ts";
import { createGroupLease } from "./group-lease.ts";
import type { GroupRecord } from "./group-record.ts";
import { describeEntries } from "./described.ts";
import { readData } from "./read-data.ts";
import type { Disposal, HeldEntry } from "./held-entry.ts";
import type { Tails } from "./arrivals.ts";
import type { StreamTally } from "../stream-tally.ts";
import type { ConsumePolicy } from "./options.ts";
import { Rescuer } from "./rescuer.ts";

export interface ConsumerEvents<Data> extends ShiftEvents<EntryAttempt<Data>> {
  /** The group is up to date and nothing runs here. */
  readonly idle: readonly [];
  /**
   * Retention took entries that the group had not finished: the stream's hard limit was reached, the group was away for too long, or the
   * record keeps no longer what is so old.
   */
  readonly lost: readonly [loss: Loss];
}

export interface ConsumerSetup<Data> {
  readonly stream: string;
  readonly log: GroupLog;
  readonly tails: Tails;
  readonly policy: ConsumePolicy;
  readonly schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly handler: ConsumeHandler<Data>;
  readonly tally: StreamTally | undefined;
  /** Only on a transactional stream. */
  readonly record: GroupRecord | undefined;
  readonly rehearsal: Rehearsal | undefined;
  readonly counts: GroupCounts;
  readonly logger: Logger;
  readonly seam: Seam;
  onStopped(): void;
}

// So many entries does one command take at the most, so that the server answers others in between.
const largestTake = 500;
const finish: Disposal = { kind: "finish" };

/** Takes entries of a stream for one consumer group, and runs them until it is stopped. */
export class Consumer<Data> {
  readonly #setup: ConsumerSetup<Data>;
  readonly #trade: Trade<HeldEntry<Data>>;
  readonly #events: Emitter<ConsumerEvents<Data> & ReportedEvents<EntryAttempt<Data>>>;
  readonly #report: Report<HeldEntry<Data>, EntryAttempt<Data>>;
  readonly #shift: Shift<HeldEntry<Data>, EntryAttempt<Data>, GroupBeat, Exchange<Data>>;
  #backlog: BacklogFiller | undefined;

  /** @internal */
  constructor(given: ConsumerSetup<Data>) {
    let lease: Lease<GroupBeat> | undefined;
    const setup = { ...given, logger: withFields(given.logger, () => ({ consumer: lease?.name })) };
    const { log, logger, policy, record, stream, handler, counts } = setup;
    this.#setup = setup;
    this.#trade = tradeOf(stream, log.name);
    this.#events = new Emitter(logger);
    this.#report = new Report<HeldEntry<Data>, EntryAttempt<Data>>(this.#trade, { events: this.#events, counts, logger, seam: setup.seam });
    this.#shift = new Shift<HeldEntry<Data>, EntryAttempt<Data>, GroupBeat, Exchange<Data>>({
      trade: this.#trade,
      report: this.#report,
      logger,
      counts,
      capacity: policy.concurrency,
      recordStore: record?.database,
      rehearsal: setup.rehearsal,
      createLease: (events, exchange) => createGroupLease(log, policy.leaseMs, { logger, events, heldAgain: () => exchange().heldAgain() }),
      createExchange: (parts) => {
        ({ lease } = parts);
        return new Exchange<Data>({
          ...setup,
          ...parts,
          trade: this.#trade,
          leaseMs: policy.leaseMs,
          largestTake: Math.min(largestTake, Math.ceil(policy.concurrency / 2)),
          attach: () => this.#attach(),
          hasRecord: record !== undefined,
        });
      },
      createRunner: (confirmLease) =>
        new SingleRunner<HeldEntry<Data>, EntryAttempt<Data>, ConsumeContext>({
          handler,
          concurrency: policy.concurrency,
          timeoutMs: policy.timeoutMs,
          watched: { seam: setup.seam, describe: describeEntries, errorOf },
          noSettling,
          createSettling: record && ((held, entry) => settleOf(held, entry, { record, confirmLease, seam: setup.seam })),
        }),
      createIntake: (events, signal) => new Intake(this.#intakeSetup(signal), events),
      createDuties: ({ lease, exchange }) => [
        rosterDuty(log, { lease, policy, held: () => exchange.held(), logger }),
        new Rescuer(log, { logger, lease, counts, onSwept: () => exchange.doubt() }),
        lossDuty((loss) => this.#noteLoss(loss)),
        ...(setup.tally ? [setup.tally.duty<Data, GroupBeat>()] : []),
        ...(record ? this.#recordDuties(record, exchange) : []),
      ],
      verdictOf: (held, outcome) => verdictOf(held.attempts, outcome, policy),
      conclude: (held, verdict, { exchange, signal }) => {
        if (record?.isToBeNoted(held, verdict)) void this.#note(held, verdict, { record, exchange, signal });
        else exchange.end(held, this.#disposalOf(held, verdict));
      },
      lostAtEnd: (held) => this.#noteLost(held),
    });
  }

  /** Calls `listener` at every such event until the returned function is called. Errors without a listener are logged. */
  on<Name extends keyof ConsumerEvents<Data>>(name: Name, listener: (...values: ConsumerEvents<Data>[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Takes no more entries, waits for those that run, and gives back what has not started. After `timeout` milliseconds (default: no
   * limit) the signals of those that still run are aborted, and they are given back too, without counting the attempt. May be
   * called again: of several timeouts the first to end counts. Throws INVALID_OPTION.
   */
  async stop(options: { readonly timeout?: number } = {}): Promise<void> {
    await this.#shift.stop(options);
    this.#setup.onStopped();
  }

  async #attach(): Promise<void> {
    const { log, policy, record } = this.#setup;
    if (record) await record.attach(policy.start);
    else if ((await log.attach(policy.start, { hasRecord: false })) === undefined) throw new Error("the group is being reset");
    this.#backlog?.look();
  }

  #intakeSetup(signal: AbortSignal): IntakeSetup<HeldEntry<Data>, EntryAttempt<Data>, Data> {
    const { schema, stream, log, policy, record } = this.#setup;
    return {
      trade: this.#trade,
      schema,
      doubts: record && doubtsOf(record, signal),
      read: (held) => readData(held, this.#trade),
      createAttempt: (held, data) => new EntryAttempt(held, data, { group: log.name, stream }),
      policyOf: () => policy,
    };
  }

  #recordDuties(record: GroupRecord, exchange: Exchange<Data>): readonly ShiftDuty<HeldEntry<Data>, GroupBeat>[] {
    const { log, logger } = this.#setup;
    const floor = new FloorMover(record, { logger, onLost: (loss) => this.#noteLoss(loss) });
    this.#backlog = new BacklogFiller(log, record, { logger, onSwitched: () => exchange.detach() });
    return [floor, this.#backlog];
  }

  async #note(
    held: HeldEntry<Data>,
    verdict: Verdict,
    { record, exchange, signal }: { readonly record: GroupRecord; readonly exchange: Exchange<Data>; readonly signal: AbortSignal },
  ): Promise<void> {
    const noted = await record.note(held, verdict, { signal, onError: (error) => this.#report.error(error) });
    if (!noted || held.phase !== "ended") return;
    held.verdict = noted;
    exchange.end(held, this.#disposalOf(held, noted));
  }

  #disposalOf(held: HeldEntry<Data>, verdict: Verdict): Disposal {
    if (verdict.kind === "retry") return verdict;
    if (verdict.kind === "bury")
      return { kind: "bury", attempts: verdict.attempts, letter: this.#setup.record ? "" : letterOf(held, verdict) };
    return finish;
  }

  #noteLost(held: HeldEntry<Data>): void {
    if (this.#setup.record && held.verdict?.kind === "drop") this.#report.ended(held, held.verdict);
    else this.#report.leaseLost(held);
  }

  #noteLoss(loss: Loss): void {
    this.#setup.logger.warn({ ...this.#trade.fields, ...loss }, "retention took entries before a consumer group had finished them");
    this.#events.emit("lost", loss);
  }
}

const settledBefore: Verdict = { kind: "drop", error: undefined };

function doubtsOf<Data>(record: GroupRecord, signal: AbortSignal): Doubts<HeldEntry<Data>> {
  return {
    isDoubtful: (held) => record.isDoubtful(held),
    findUnfit: async (entries) => {
      const settled = await record.findSettled(entries, signal);
      return settled && new Map(entries.filter(({ id }) => settled.has(id)).map((held) => [held, settledBefore]));
    },
  };
}

/** Tells what a renewal says that retention took. */
function lossDuty<Unit>(onLost: (loss: Loss) => void): ShiftDuty<Unit, GroupBeat> {
  return {
    start: () => undefined,
    stop: () => Promise.resolve(),
    follow: ({ loss }) => {
      if (loss) onLost(loss);
    },
  };
}

function tradeOf<Data>(stream: string, group: string): Trade<HeldEntry<Data>> {
  return {
    role: "consumer",
    unit: "an entry",
    place: `group ${group} of stream ${stream}`,
    fields: { stream, group },
    idOf: ({ id }) => id,
    nameOf: ({ id }) => `entry ${id} of stream ${stream}`,
  };
}
