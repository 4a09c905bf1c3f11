import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** How many open rows a queue has, as far as rows alone tell it. */
export interface RowCounts {
  /** Those that a worker has among them. */
  readonly waiting: number;
  readonly scheduled: number;
  readonly paused: boolean;
  /** Since when the oldest of those that wait may be taken, in milliseconds since 1970. */
  readonly oldestWaitingAt: number | null;
}

// Of more than that nobody needs the exact number while Valkey is away.
const most = 1_000_000;

const count: Statement = {
  name: "keyline-count-rows",
  text: `SELECT (count(*) - count(*) FILTER (WHERE rests))::float8 AS waiting, (count(*) FILTER (WHERE rests AND NOT is_parked))::float8 AS scheduled,
      floor(extract(epoch FROM min(ready_at) FILTER (WHERE NOT rests)) * 1000)::float8 AS "oldestWaitingAt",
      coalesce((SELECT gates ? 'paused' FROM keyline.queue WHERE name = $1), false) AS paused
    FROM (
      SELECT parked IS NOT NULL AS is_parked, greatest(added_at, due_at) AS ready_at,
        state = 'scheduled' AND (due_at > now() OR (due_at IS NULL AND parked IS NOT NULL)) AS rests
      FROM keyline.job WHERE queue = $1 AND state IN ('waiting', 'scheduled') LIMIT ${most}
    ) AS open`,
};

/** The open rows of one queue: for when Valkey, which knows better, is away. */
export async function countRows(database: Database, queue: string): Promise<RowCounts> {
  const [row] = await database.query<{ [Name in keyof RowCounts]: RowCounts[Name] }>(count, [queue]);
  return row ?? { waiting: 0, scheduled: 0, paused: false, oldestWaitingAt: null };
}
