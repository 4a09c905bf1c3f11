import type { PoolClient } from "pg";
import { rollBack } from "../client/commit.ts";
import type { Statement } from "../client/statement.ts";
import { beginOwn } from "../client/transaction-watch.ts";
import { tryRebuildLock } from "./job-rebuild.ts";
import type { HeldElements, Outlet, RowState } from "./outlet.ts";

const page = 1_000;

const declareDelivered = `DECLARE delivered NO SCROLL CURSOR FOR SELECT id, attempts, parks, is_latest, is_changed FROM keyline.job
  WHERE queue = $1 AND delivered_to IS NOT NULL AND state IN ('waiting', 'scheduled')
    AND delivered_to <> ALL (ARRAY(SELECT 'delivery:' || delivery.id FROM keyline.delivery WHERE delivery.queue = $1)) ORDER BY seq`;

// Where it is not as it was read somebody has it. Who is at a row is waited for by coming back.
const disown: Statement = {
  name: "keyline-disown-missing",
  text: `WITH same AS (
      SELECT job.id FROM keyline.job JOIN unnest($2::text[], $3::integer[], $4::integer[]) AS seen (id, attempts, parks)
        ON job.id = seen.id AND job.attempts = seen.attempts AND coalesce(job.parks, 0) = seen.parks
      WHERE job.queue = $1 AND job.state IN ('waiting', 'scheduled') AND job.delivered_to IS NOT NULL
    ), free AS (
      SELECT job.id FROM keyline.job JOIN same USING (id)
        WHERE job.queue = $1 AND job.state IN ('waiting', 'scheduled') AND job.delivered_to IS NOT NULL FOR UPDATE OF job SKIP LOCKED
    ), disowned AS (
      UPDATE keyline.job SET delivered_to = NULL FROM free WHERE job.queue = $1 AND job.id = free.id RETURNING job.id
    )
    SELECT (SELECT count(*) FROM same)::integer AS same, (SELECT count(*) FROM disowned)::integer AS disowned`,
};

/** What a look at all deliveries has found. */
interface Check {
  /** False where another process is at it, the epoch is not in charge any more, or a row could not be told: it is to be done again. */
  readonly isDone: boolean;
  /** So many jobs are undelivered again. */
  readonly missing: number;
}

const notDone: Check = { isDone: false, missing: 0 };

/**
 * Looks once at every job that was delivered to `epoch`, and says of those that are nowhere that they are not delivered: the relay brings them. To be called when every worker that
 * lives has a lease in that memory (delivery-checks.ts).
 *
 * Why they may be nowhere: Valkey loses its memory while a worker waits for a job. What is added then goes to the list of that worker, though no lease of it is known. Where it dies before
 * it has one again, no process is told to look into that list.
 *
 * Why nothing else comes twice: what Valkey holds is read behind the rows, against the way that jobs go (everywhere.ts), and once more where something is missing: a job that moves is met
 * in one of the two. One that has ended or failed meanwhile has no such row any more. A copy that comes nevertheless is dropped by the settle.
 */
export async function checkDeliveries(outlet: Outlet, epoch: string, signal: AbortSignal): Promise<Check> {
  const { table } = outlet;
  const present = await table.charge.read();
  // Of another one it is told by its rebuild.
  if (present?.epoch !== epoch || present.checked_epoch === epoch) return { isDone: true, missing: 0 };
  if (present.rebuilt_epoch !== epoch) return notDone;
  const client = await table.database.connect();
  let isClean = false;
  try {
    await client.query(beginOwn);
    const { rows } = await client.query<{ locked: boolean }>(tryRebuildLock, [table.queue]);
    const check = rows[0]?.locked ? await checkWithin(client, outlet, { epoch, signal }) : notDone;
    await client.query("COMMIT");
    isClean = true;
    return check;
  } catch (error) {
    throw table.database.explain(error, client);
  } finally {
    if (!isClean) isClean = await rollBack(client);
    table.database.release(client, isClean);
  }
}

async function checkWithin(
  client: PoolClient,
  outlet: Outlet,
  { epoch, signal }: { readonly epoch: string; readonly signal: AbortSignal },
): Promise<Check> {
  const { table } = outlet;
  await client.query(declareDelivered, [table.queue]);
  const jobs = await findMissing(outlet, signal, async () => (await client.query<RowState>(`FETCH ${page} FROM delivered`)).rows);
  // What was missing in another memory is looked for by its rebuild.
  if (signal.aborted || (await outlet.epoch()) !== epoch) return notDone;
  // Before the rows, of which it then waits for none: who tells rows of a rescue has this locked, and waits for them.
  if (!(await table.charge.lock(client, epoch))) return notDone;
  const columns = [jobs.map(({ id }) => id), jobs.map(({ attempts }) => attempts), jobs.map(({ parks }) => parks ?? 0)];
  const { rows } = await client.query<{ same: number; disowned: number }>(table.database.prepared(disown, [table.queue, ...columns]));
  const [{ same, disowned } = { same: 0, disowned: 0 }] = rows;
  if (same > disowned) return { isDone: false, missing: disowned };
  await table.charge.noteChecked(client, epoch);
  return { isDone: true, missing: disowned };
}

/** Those that Valkey has neither at the first look nor at the second one. */
async function findMissing(outlet: Outlet, signal: AbortSignal, fetch: () => Promise<readonly RowState[]>): Promise<readonly RowState[]> {
  const missing: RowState[] = [];
  let held: HeldElements | undefined;
  for (;;) {
    const jobs = await fetch();
    if (jobs.length === 0 || signal.aborted) break;
    // Behind the first page: the rows are as they were before.
    held ??= await outlet.held();
    for (const job of jobs) if (!held.has(job)) missing.push(job);
  }
  if (missing.length === 0 || signal.aborted) return [];
  const again = await outlet.held();
  return missing.filter((job) => !again.has(job));
}
