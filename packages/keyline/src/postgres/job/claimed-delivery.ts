import { rollBack } from "../client/commit.ts";
import type { Database } from "../client/database.ts";
import { beginOwn } from "../client/transaction-watch.ts";
import type { JobRow } from "./job-row.ts";
import { claimUndelivered, joinIds } from "./job-table.ts";
import type { Outlet } from "./outlet.ts";

/** Delivers those of these jobs that are undelivered still, and notes it, in one short transaction. What another relay has locked is left to that. */
export async function deliverClaimed(database: Database, outlet: Outlet, ids: readonly string[]): Promise<void> {
  const { table, notes } = outlet;
  const client = await database.connect();
  let isClean = false;
  let jobs: readonly JobRow[] = [];
  try {
    await client.query(beginOwn);
    const { rows } = await client.query<JobRow>(database.prepared(claimUndelivered, [table.queue, ids]));
    // Whoever woke a job in this process may be at it since it was looked for.
    jobs = rows.filter(({ id, parks }) => !notes.has(id) && notes.begin(id, parks ?? 0));
    if (jobs.length > 0) {
      const epoch = await outlet.deliver(jobs);
      await client.query("SELECT keyline.mark_delivered($1, $2, $3, false)", [table.queue, epoch, joinIds(jobs.map(({ id }) => id))]);
    }
    await client.query("COMMIT");
    isClean = true;
  } catch (error) {
    throw database.explain(error, client);
  } finally {
    for (const { id, parks } of jobs) notes.end(id, parks ?? 0);
    if (!isClean) isClean = await rollBack(client);
    database.release(client, isClean);
  }
}
