import { countRows } from "../postgres/job/row-counts.ts";
import { KeylineError } from "../runtime/errors.ts";
import { isConnectionError } from "../valkey/client/connection.ts";
import type { QueueCounts } from "../valkey/queue/reads.ts";
import { readHead } from "./element.ts";
import type { QueueParts } from "./queue-parts.ts";

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

type StatusParts = Pick<QueueParts, "store" | "deadTable" | "record">;

/** Of a transactional queue it answers while Valkey is away, so nobody waits for it for long. */
const awayAfterMs = 1_000;

/** How many jobs a queue has, of both stores. */
export async function readStatus(parts: StatusParts): Promise<QueueStatus> {
  const { store, deadTable, record } = parts;
  try {
    await store.connection.ensureReady(record ? store.connection.leftOf(awayAfterMs) : 5_000);
    return await readBoth({ store, deadTable });
  } catch (error) {
    if (!record || !deadTable || !isAway(error)) throw error;
    const { table } = record;
    const [rows, others] = await Promise.all([countRows(table.database, table.queue), deadTable.counts()]);
    return { ...rows, ...others, running: 0, blocked: 0, oldestWaitingAt: rows.oldestWaitingAt ?? undefined, isFromRows: true };
  }
}

async function readBoth({ store, deadTable }: Pick<StatusParts, "store" | "deadTable">): Promise<QueueStatus> {
  const { first, readyAt, scheduled, ...counts } = await store.reads.counts();
  const { dead, dropped, ...rows } = (await deadTable?.counts()) ?? { dead: 0, dropped: 0, parked: 0 };
  const parked = counts.parked + rows.parked;
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

/** Or refuses whoever asks: what PostgreSQL knows is an answer all the same. */
function isAway(error: unknown): boolean {
  return error instanceof KeylineError ? !error.code.startsWith("POSTGRES") && error.code !== "CLOSED" : isConnectionError(error);
}
