import type { PoolClient } from "pg";
import { KeylineError, toError } from "../runtime/errors.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import { commit, rollBack } from "./commit.ts";
import { timed } from "./database.ts";
import { isConflict } from "./failures.ts";
import { joinIds, separator, settle, settleOne, type JobTable } from "./job-table.ts";

export interface HeldJob {
  readonly id: string;
  /** Failed attempts as the worker knows them: a row with more was given to somebody else since. */
  readonly attempts: number;
}

/** What a settle commits together with the end of its jobs; `owed` holds the ids of those that were not settled before. */
export type Effects = (tx: PoolClient, owed: ReadonlySet<string>) => Promise<void>;

interface SettledRow {
  readonly settled: number;
  /** Null when all were settled. */
  readonly missing: string | null;
  readonly xid: string | null;
}

/** What the deletion of rows came to: the ids whose rows were there, and the transaction's id if there were any. */
interface Deletion {
  readonly owed: ReadonlySet<string>;
  readonly xid: string | undefined;
}

const conflictTries = 10;

/**
 * Ends jobs for good, together with their effects, in one transaction. Returns the ids that this call settled: the row of a job
 * is deleted by exactly one committed transaction, and only that one carries the job's effects.
 *
 * A transaction that failed because PostgreSQL went away, and one that stood in another one's way, are answered alike: by the
 * whole of it once more. Should it have been committed after all, the rows are gone, and the effects are left out.
 */
export async function settleJobs(
  table: JobTable,
  jobs: readonly HeldJob[],
  { effects, signal }: { readonly effects?: Effects; readonly signal?: AbortSignal } = {},
): Promise<ReadonlySet<string>> {
  for (let conflicts = 0; ;) {
    try {
      return effects ? await settleWith(table, jobs, { effects, signal }) : await settleAlone(table, jobs);
    } catch (error) {
      if (signal?.aborted || table.database.isClosing) throw error;
      if (isConflict(error) && ++conflicts < conflictTries) {
        await delay(retryDelay(conflicts, { first: 5, max: 200 }), signal);
      } else if (error instanceof KeylineError && error.code === "POSTGRES_UNAVAILABLE") {
        await table.database.whenAvailable(signal);
        if (signal?.aborted) throw error;
      } else {
        throw error;
      }
    }
  }
}

async function settleAlone(table: JobTable, jobs: readonly HeldJob[]): Promise<ReadonlySet<string>> {
  const [row] = await table.database.query<SettledRow>(settle, valuesOf(table, jobs));
  return owedOf(jobs, row);
}

async function settleWith(
  table: JobTable,
  jobs: readonly HeldJob[],
  { effects, signal }: { readonly effects: Effects; readonly signal: AbortSignal | undefined },
): Promise<ReadonlySet<string>> {
  const { database } = table;
  const client = await database.connect();
  let isClean = false;
  try {
    // Both at once: on a pipelining connection they travel together.
    const [, { owed, xid }] = await Promise.all([client.query("BEGIN"), deleteRows(table, client, jobs)]);
    if (owed.size > 0) await unlessAborted(effects(client, owed), signal);
    isClean = await commit(database, client, xid);
    return owed;
  } catch (error) {
    isClean = !signal?.aborted && (await rollBack(client));
    // On a connection that lives the error is the effects' own, whatever it looks like.
    throw isClean ? error : database.explain(error);
  } finally {
    client.release(!isClean);
  }
}

/** Waits for `work` until `signal` is aborted, then throws its reason: effects that hang must not hold their connection for ever. */
export function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(toError(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Deletes the jobs' rows within the transaction that is open on `client`. */
export async function deleteRows(table: JobTable, client: PoolClient, jobs: readonly HeldJob[]): Promise<Deletion> {
  const [first] = jobs;
  try {
    if (jobs.length === 1 && first) {
      const { rows } = await client.query<{ xid: string | null }>(timed({ ...settleOne, values: [table.queue, first.id, first.attempts] }));
      const xid = rows[0]?.xid ?? undefined;
      return { owed: new Set(xid === undefined ? [] : [first.id]), xid };
    }
    const { rows } = await client.query<SettledRow>(timed({ ...settle, values: valuesOf(table, jobs) }));
    return { owed: owedOf(jobs, rows[0]), xid: rows[0]?.xid ?? undefined };
  } catch (error) {
    throw table.database.explain(error);
  }
}

function owedOf(jobs: readonly HeldJob[], row: SettledRow | undefined): ReadonlySet<string> {
  const owed = new Set<string>();
  if (!row || row.settled === 0) return owed;
  for (const { id } of jobs) owed.add(id);
  if (row.missing !== null) for (const id of row.missing.split(separator)) owed.delete(id);
  return owed;
}

function valuesOf(table: JobTable, jobs: readonly HeldJob[]): unknown[] {
  const hasFailed = jobs.some((job) => job.attempts > 0);
  return [table.queue, joinIds(jobs.map((job) => job.id)), hasFailed ? jobs.map((job) => job.attempts).join(separator) : null];
}
