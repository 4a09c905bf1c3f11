import { rollBack } from "../client/commit.ts";
import type { Database } from "../client/database.ts";
import { beginOwn } from "../client/transaction-watch.ts";
import type { JobRow } from "./job-row.ts";
import { claimUndelivered, joinIds } from "./job-table.ts";
import type { Outlet } from "./outlet.ts";

const markDelivered = "SELECT keyline.mark_delivered($1, $2, $3, false) AS is_in_charge";

/**
 * Delivers those of these jobs that are undelivered still, and notes it, in one short transaction. What another relay has locked is left to that. False where they were delivered to an epoch
 * that is not in charge: they are as undelivered as before.
 */
export async function deliverClaimed(database: Database, outlet: Outlet, ids: readonly string[]): Promise<boolean> {
  const { table, notes } = outlet;
  const client = await database.connect();
  let isClean = false;
  let jobs: readonly JobRow[] = [];
  let isInCharge = true;
  try {
    await client.query(beginOwn);
    const { rows } = await client.query<JobRow>(database.prepared(claimUndelivered, [table.queue, ids]));
    // Whoever woke a job in this process may be at it since it was looked for.
    jobs = rows.filter(({ id, parks }) => !notes.has(id) && notes.begin(id, parks ?? 0));
    if (jobs.length > 0) {
      const epoch = await outlet.deliver(jobs);
      const values = [table.queue, epoch, joinIds(jobs.map(({ id }) => id))];
      isInCharge = (await client.query<{ is_in_charge: boolean }>(markDelivered, values)).rows[0]?.is_in_charge ?? false;
    }
    await client.query("COMMIT");
    isClean = true;
    return isInCharge;
  } catch (error) {
    throw database.explain(error, client);
  } finally {
    for (const { id, parks } of jobs) notes.end(id, parks ?? 0);
    if (!isClean) isClean = await rollBack(client);
    database.release(client, isClean);
  }
}
