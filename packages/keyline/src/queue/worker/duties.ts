/*
 * What a worker does beside taking jobs and running them:
 *
 *   rescuer.ts               returns the jobs of workers that are gone
 *   promoter.ts              moves what is due to the queue
 *   ticker.ts                adds the ticks of the queue's schedules
 *   signal-watch.ts          hears what cannot wait for the next renewal of the lease
 *   cancel-watch.ts          aborts what was cancelled
 *   roster-duty.ts (work)    says what this worker is, and what it runs while somebody asks
 *   family-duty.ts           sees to the families of a plain queue
 *   telling.ts               has those that tell what becomes of jobs
 *   letter-keeper.ts         drops dead letters that are too old or too many
 *   cancelled-row-keeper.ts  removes rows of jobs that were cancelled
 *   schedule-sweeper.ts      takes off the schedule what is out of date
 */
import type { DeadTable } from "../../postgres/job/dead-table.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { StreamTails } from "../../valkey/client/stream-tails.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { SignalKind } from "../../valkey/queue/signals.ts";
import { aboutMe } from "../../work/about.ts";
import type { Lease } from "../../work/lease.ts";
import { RosterDuty } from "../../work/roster-duty.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import { FamilyDuty } from "../families/family-duty.ts";
import type { PlainQueueFamilies } from "../families/plain-queue-families.ts";
import { CancelWatch } from "../jobs/cancel-watch.ts";
import { CancelledRowKeeper } from "../jobs/cancelled-row-keeper.ts";
import { LetterKeeper } from "../letters/letter-keeper.ts";
import type { QueuePolicy } from "../options.ts";
import type { Tally } from "../rates/tally.ts";
import type { ScheduleBook } from "../schedules/schedule-book.ts";
import { Ticker } from "../schedules/ticker.ts";
import type { AudienceWatch } from "./audience-watch.ts";
import type { Exchange } from "./exchange.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { JobRecord } from "./job-record.ts";
import { Promoter } from "./promoter.ts";
import { Rescuer } from "./rescuer.ts";
import { ScheduleSweeper } from "./schedule-sweeper.ts";
import { SignalWatch } from "./signal-watch.ts";
import { describeRunning } from "./worker-info.ts";

interface DutiesSetup<Data> {
  readonly queue: string;
  readonly store: QueueStore;
  readonly tails: StreamTails;
  readonly record: JobRecord | undefined;
  readonly plainFamilies: PlainQueueFamilies | undefined;
  readonly scheduleBook: ScheduleBook;
  readonly deadTable: DeadTable | undefined;
  readonly policy: QueuePolicy;
  readonly concurrency: number;
  readonly tally: Tally;
  readonly logger: Logger;
  readonly watch: AudienceWatch;
  readonly lease: Lease<Beat>;
  readonly exchange: Exchange<Data>;
}

export function createDuties<Data>(setup: DutiesSetup<Data>): readonly ShiftDuty<HeldJob<Data>, Beat>[] {
  const { store, logger, lease, exchange, record, plainFamilies: families, watch } = setup;
  const promoter = new Promoter(store, logger);
  const ticker = new Ticker(setup.scheduleBook, { logger, noteAdded: (jobs) => setup.tally.noteAdded(jobs) });
  const cancels = new CancelWatch(store, { lease, held: () => exchange.held(), table: record?.table, logger });
  const family = families && new FamilyDuty(setup.queue, families.families);
  const { leaseMs } = setup.policy;
  const describe = (): string => describeRunning(exchange.held());
  const roster = new RosterDuty({ roster: store.roster, lease, leaseMs, about: aboutMe(setup.concurrency), describe, logger });
  const onSignals = (kinds: ReadonlySet<SignalKind>): void => {
    if (kinds.has("due")) promoter.look();
    if (kinds.has("ticks")) ticker.look();
    if (kinds.has("tracked")) watch.look();
    if (kinds.has("gates")) void exchange.lookAtGates();
    if (kinds.has("cancel")) cancels.look();
    if (kinds.has("family")) family?.look();
    if (kinds.has("watched")) roster.look();
    if (kinds.has("rows")) record?.expectRows();
  };
  return [
    new Rescuer(store, { table: record?.table, lease, counts: setup.tally.counts, logger }),
    promoter,
    ticker,
    new LetterKeeper(store, { letters: setup.deadTable, kept: setup.policy.deadLetters, logger }),
    cancels,
    roster,
    ...(family ? [family] : []),
    ...(record
      ? [new CancelledRowKeeper(record.table.cancelled, logger), new ScheduleSweeper(store, { rows: record.table.parked, logger })]
      : []),
    new SignalWatch(store, { tails: setup.tails, logger, onSignals }),
  ];
}
