import type { Logger } from "../../runtime/logger.ts";
import { rollBack } from "../client/commit.ts";
import type { JobRow } from "./job-row.ts";
import { declareDeliveredElsewhere } from "./job-table.ts";
import type { Outlet } from "./outlet.ts";
import { beginOwn } from "../client/transaction-watch.ts";

const page = 250;

/** Who rebuilds a queue, or checks it, does so alone. */
export const tryRebuildLock = "SELECT pg_try_advisory_xact_lock(hashtextextended('keyline.rebuild:' || $1, 0)) AS locked";

/**
 * Looks again at every job that was delivered to another memory of Valkey than `epoch`, and delivers those that are not there.
 * Returns false when another process is at it, `epoch` is not the present one any more, or `signal` said not to go on.
 *
 * Why nothing is lost: the epoch is put in charge first, and stays it: an older one is not put back (takesCharge). From then on no job is noted with an older one, and each that was noted
 * before is seen by the cursor, which opens after it. Only then Valkey is asked what it holds: what is held then, was
 * delivered; what is not, is delivered here. A job that is delivered or settled in between leads to a second copy at worst,
 * which the settle drops. A process that dies half way leaves `rebuilt_epoch` empty, and another one begins anew.
 */
export async function rebuildJobs(
  outlet: Outlet,
  epoch: string,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<boolean> {
  const { table } = outlet;
  const present = await table.charge.read();
  if (present?.epoch === epoch && present.rebuilt_epoch === epoch) return true;
  if (!(await takesCharge(outlet, epoch, present?.epoch))) return false;
  // What keeps jobs from being taken comes before the jobs.
  await outlet.restoreGates();
  const client = await table.database.connect();
  let isClean = false;
  try {
    await client.query(beginOwn);
    const { rows } = await client.query<{ locked: boolean }>(tryRebuildLock, [table.queue]);
    if (rows[0]?.locked) {
      await client.query(declareDeliveredElsewhere, [table.queue, epoch]);
      const held = await outlet.held();
      const count = { looked: 0, delivered: 0 };
      for (;;) {
        const { rows: jobs } = await client.query<JobRow>(`FETCH ${page} FROM delivered_elsewhere`);
        if (jobs.length === 0) break;
        if (signal.aborted) return false;
        const lost = jobs.filter((job) => !held.has(job));
        if (lost.length > 0 && (await outlet.deliver(lost)) !== epoch) return false;
        await table.markAgain(
          epoch,
          jobs.map((job) => job.id),
        );
        count.looked += jobs.length;
        count.delivered += lost.length;
      }
      // On this connection: where nothing was to be marked no second one is needed, which others might hold until this one is free.
      await table.charge.noteRebuilt(client, epoch);
      if (count.looked > 0) {
        table.counts.rebuilds++;
        logger.info({ queue: table.queue, ...count }, "Valkey has a new memory: its unsettled jobs were delivered again");
      }
    }
    await client.query("COMMIT");
    isClean = true;
    return rows[0]?.locked ?? false;
  } catch (error) {
    throw table.database.explain(error, client);
  } finally {
    if (!isClean) isClean = await rollBack(client);
    table.database.release(client, isClean);
  }
}

/**
 * Whether the epoch is in charge now. This process may have read it long ago: so Valkey is asked again behind the look at which one was in charge, `present`, and that is replaced only if
 * it is so still. A newer one is put in charge by whoever has seen that Valkey has it, which is later than both: then this changes nothing.
 */
async function takesCharge(outlet: Outlet, epoch: string, present: string | undefined): Promise<boolean> {
  if (present === epoch) return true;
  return (await outlet.epoch()) === epoch && (await outlet.table.charge.take(epoch, present));
}
