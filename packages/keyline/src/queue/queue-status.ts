import { KeylineError } from "../runtime/errors.ts";
import { checkOptionNames } from "../runtime/options.ts";
import { countRows } from "../postgres/job/row-counts.ts";
import type { RowStatus } from "../postgres/job/row-status.ts";
import type { QueueCounts, SeenCounts } from "../valkey/queue/reads.ts";
import { readHead } from "./element.ts";
import type { QueueParts } from "./queue-parts.ts";
import { unlessAway } from "../valkey/client/unless-away.ts";

export interface QueueStatus extends QueueCounts {
  /** They wait for their children; on a transactional queue also those that sleep, or wait for a signal. */
  readonly parked: number;
  /**
   * Since when the next job to be taken has been ready, in milliseconds since 1970: since it was added, due, woken, redriven, or given back by a worker that is gone. Undefined when none waits, or a
   * foreign writer left it out.
   */
  readonly oldestWaitingAt: number | undefined;
  /** Valkey is away, and these are the rows of a transactional queue: what runs is counted as waiting, and nothing is known of groups. */
  readonly isFromRows: boolean;
}

/** What is known of a transactional queue while one of the stores is away. */
export interface KnownStatus extends Omit<QueueStatus, "parked" | "dead" | "dropped"> {
  /** Where `parked` is undefined, those that are parked are among them. */
  readonly scheduled: number;
  /** These three are rows: undefined while PostgreSQL is away. */
  readonly parked: number | undefined;
  readonly dead: number | undefined;
  readonly dropped: number | undefined;
}

export interface CountsOptions {
  /** On a transactional queue: while PostgreSQL is away, what Valkey knows, instead of POSTGRES_UNAVAILABLE. Default false. */
  readonly known?: boolean;
}

type StatusParts = Pick<QueueParts, "store" | "deadTable" | "record">;

const readyWithinMs = 5_000;
const noRows: RowStatus = { dead: 0, parked: 0, dropped: 0 };
const optionNames = new Set<string>(["known"] satisfies (keyof CountsOptions)[]);

/** Throws INVALID_OPTION. */
export function checkCounts(options: CountsOptions): boolean {
  checkOptionNames("counts", options, optionNames);
  const { known = false } = options;
  if (typeof known !== "boolean") throw new KeylineError("INVALID_OPTION", `known must be true or false, not ${String(known)}`);
  return known;
}

/** How many jobs a queue has, as far as the stores that are there know it. */
export async function readKnown(parts: StatusParts): Promise<KnownStatus> {
  try {
    return await readStatus(parts);
  } catch (error) {
    if (!parts.record || !isPostgresAway(error)) throw error;
    const { connection, reads } = parts.store;
    await connection.ensureReady(connection.leftOf(readyWithinMs));
    return { ...statusOf(await reads.counts(), noRows), parked: undefined, dead: undefined, dropped: undefined };
  }
}

/** How many jobs a queue has, of both stores. */
export async function readStatus({ store, deadTable, record }: StatusParts): Promise<QueueStatus> {
  const { connection, reads } = store;
  if (!record || !deadTable) {
    await connection.ensureReady(readyWithinMs);
    return statusOf(await reads.counts(), noRows);
  }
  const [counts, rows] = await Promise.all([unlessAway(connection, () => reads.counts()), deadTable.counts()]);
  if (counts) return statusOf(counts, rows);
  const { oldestWaitingAt, ...open } = await countRows(record.table.database, record.table.queue);
  return { ...open, ...rows, running: 0, blocked: 0, oldestWaitingAt: oldestWaitingAt ?? undefined, isFromRows: true };
}

function statusOf({ first, readyAt, scheduled, ...counts }: SeenCounts, { dead, dropped, parked: parkedRows }: RowStatus): QueueStatus {
  const parked = counts.parked + parkedRows;
  return {
    ...counts,
    // What is parked rests on the schedule; the two are not counted at the same moment.
    scheduled: Math.max(0, scheduled - parked),
    parked,
    dead: counts.dead + dead,
    dropped: counts.dropped + dropped,
    oldestWaitingAt: readyAt ?? readHead(first)?.at,
    isFromRows: false,
  };
}

function isPostgresAway(error: unknown): boolean {
  return error instanceof KeylineError && error.code.startsWith("POSTGRES_");
}
