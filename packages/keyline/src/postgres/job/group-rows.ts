import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** A group as the open rows of its jobs tell it. */
export interface GroupRow {
  readonly name: string;
  /** Open jobs; of more than 10,000 that is what it says. */
  readonly open: number;
  /** The one that was added first. */
  readonly first: string;
}

const mostCounted = 10_000;
const isOpen = "queue = $1 AND state IN ('waiting', 'scheduled') AND group_name IS NOT NULL";

// From group to group along the index that has their jobs, without reading all of them.
const read: Statement = {
  name: "keyline-groups-of-rows",
  isQuick: true,
  text: `WITH RECURSIVE names AS (
      (SELECT group_name FROM keyline.job WHERE ${isOpen} AND group_name > $2 ORDER BY group_name LIMIT 1)
      UNION ALL
      SELECT (SELECT job.group_name FROM keyline.job WHERE ${isOpen} AND job.group_name > names.group_name ORDER BY job.group_name LIMIT 1)
      FROM names WHERE names.group_name IS NOT NULL
    ), page AS MATERIALIZED (SELECT group_name AS of_name FROM names WHERE group_name IS NOT NULL LIMIT $3)
    SELECT of_name AS name,
      (SELECT count(*) FROM (SELECT FROM keyline.job WHERE ${isOpen} AND group_name = of_name ORDER BY seq LIMIT ${mostCounted}) AS open)::float8 AS open,
      (SELECT id FROM keyline.job WHERE ${isOpen} AND group_name = of_name ORDER BY seq LIMIT 1) AS first
    FROM page ORDER BY of_name`,
};

/** Groups with open rows by their names, behind one. */
export function readGroups(
  database: Database,
  { queue, after, limit }: { queue: string; after: string; limit: number },
): Promise<GroupRow[]> {
  return database.query<GroupRow>(read, [queue, after, limit]);
}
