import type { QueueCounts } from "../valkey/queue/reads.ts";
import { readHead } from "./element.ts";
import type { QueueParts } from "./queue-parts.ts";

export interface QueueStatus extends QueueCounts {
  /** They wait for their children; on a transactional queue also those that sleep, or wait for a signal. */
  readonly parked: number;
  /** When the next job to be taken was added, in milliseconds since 1970; undefined when none waits, or a foreign writer left it out. */
  readonly oldestWaitingAt: number | undefined;
}

/** How many jobs a queue has, of both stores. */
export async function readStatus({ store, deadTable }: Pick<QueueParts, "store" | "deadTable">): Promise<QueueStatus> {
  await store.connection.ensureReady(5_000);
  const { first, scheduled, ...counts } = await store.reads.counts();
  const { dead, dropped, ...rows } = (await deadTable?.counts()) ?? { dead: 0, dropped: 0, parked: 0 };
  const parked = counts.parked + rows.parked;
  return {
    ...counts,
    // What is parked rests on the schedule; the two are not counted at the same moment.
    scheduled: Math.max(0, scheduled - parked),
    parked,
    dead: counts.dead + dead,
    dropped: counts.dropped + dropped,
    oldestWaitingAt: readHead(first)?.at,
  };
}
