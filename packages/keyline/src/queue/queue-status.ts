import type { QueueCounts } from "../valkey/queue/reads.ts";
import { readHead } from "./element.ts";
import type { QueueParts } from "./queue-parts.ts";

export interface QueueStatus extends QueueCounts {
  /** When the next job to be taken was added, in milliseconds since 1970; undefined when none waits, or a foreign writer left it out. */
  readonly oldestWaitingAt: number | undefined;
}

/** How many jobs a queue has, of both stores. */
export async function readStatus({ store, deadTable }: Pick<QueueParts, "store" | "deadTable">): Promise<QueueStatus> {
  await store.connection.ensureReady(5_000);
  const { first, ...counts } = await store.reads.counts();
  const { dead, dropped } = (await deadTable?.counts()) ?? { dead: 0, dropped: 0 };
  return { ...counts, dead: counts.dead + dead, dropped: counts.dropped + dropped, oldestWaitingAt: readHead(first)?.at };
}
