import { readOpenRows } from "../postgres/job/open-rows.ts";
import type { QueueParts } from "./queue-parts.ts";

/** How many open jobs each store has: they wait, run, are scheduled, blocked or parked. */
export interface QueueStores {
  /** Undefined while Valkey is away. */
  readonly valkey: number | undefined;
  /** Rows of a transactional queue. Undefined on a plain queue, while PostgreSQL is away, and where counting them takes more than a second. */
  readonly postgres: number | undefined;
  /** Rows of those that nobody is known to have brought to Valkey, counted up to 10,000. Undefined on a plain queue, and while PostgreSQL is away. */
  readonly undelivered: number | undefined;
  /**
   * How many more PostgreSQL has. The two are not counted at the same moment, so on a busy queue it is around 0, above it while the relay brings jobs, and below it while ends are on their way to
   * Valkey. Undefined where one of the two is.
   */
  readonly difference: number | undefined;
}

type StoresParts = Pick<QueueParts, "store" | "record">;

const awayAfterMs = 1_000;

/** Never rejects for a store that is away. */
export async function readStores({ store, record }: StoresParts): Promise<QueueStores> {
  const [valkey, rows] = await Promise.all([
    readValkey(store).catch(() => undefined),
    record?.table.database.isAvailable ? readOpenRows(record.table.database, record.table.queue).catch(() => undefined) : undefined,
  ]);
  const postgres = rows?.open;
  const difference = postgres === undefined || valkey === undefined ? undefined : postgres - valkey;
  return { valkey, postgres, undelivered: rows?.undelivered, difference };
}

async function readValkey(store: StoresParts["store"]): Promise<number> {
  await store.connection.ensureReadySoon(awayAfterMs);
  const { waiting, running, scheduled, blocked } = await store.reads.counts();
  return waiting + running + scheduled + blocked;
}
