import { Writable } from "node:stream";
import type { PoolClient } from "pg";
import { KeylineError, toError } from "../runtime/errors.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import { commit, rollBack } from "./commit.ts";
import { timed } from "./database.ts";
import { isConflict } from "./failures.ts";
import { joinIds, separator, settle, settleOne, type JobTable } from "./job-table.ts";
import { begin } from "./transaction-watch.ts";

export interface HeldJob {
  readonly id: string;
  /** Failed attempts as the worker knows them: a row with more was given to somebody else since. */
  readonly attempts: number;
  /** It was delivered before, and may be settled. */
  readonly isAgain?: boolean;
}

/** What a settle commits together with the end of its jobs; `owed` holds the ids of those that were not settled before. */
type Effects = (tx: PoolClient, owed: ReadonlySet<string>) => Promise<void>;

/** Jobs that are to end together with their effects. */
export interface Settle {
  readonly jobs: readonly HeldJob[];
  readonly effects: Effects;
  /** Aborted when nobody waits for the effects any more. */
  readonly signal: AbortSignal | undefined;
}

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

interface Written extends Deletion {
  /** Effects were written for jobs whose rows were gone: they must not be committed. */
  readonly isVoid: boolean;
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
  settling: Settle,
  { mayGuess }: { readonly mayGuess: boolean },
): Promise<ReadonlySet<string>> {
  const { signal } = settling;
  for (let conflicts = 0, guesses = mayGuess; ;) {
    try {
      const { owed, isVoid } = await settleOnce(table, settling, { mayGuess: guesses });
      if (!isVoid || owed.size === 0) return owed;
      guesses = false;
    } catch (error) {
      if (signal?.aborted || table.database.isClosing) throw error;
      if (isConflict(error) && ++conflicts < conflictTries) await delay(retryDelay(conflicts, { first: 5, max: 200 }), signal);
      else if (isOutage(error)) await table.database.whenAvailable(signal);
      else throw error;
      if (signal?.aborted) throw error;
    }
  }
}

/** Ends jobs that have no effects. Returns the ids of those that were this worker's to end. */
export async function completeJobs(table: JobTable, jobs: readonly HeldJob[]): Promise<ReadonlySet<string>> {
  for (let isRepeated = false; ;) {
    try {
      const [row] = await table.database.query<SettledRow>(settle, valuesOf(table, jobs));
      const owed = owedOf(jobs, row);
      return isRepeated && owed.size < jobs.length ? await withGone(table, jobs, owed) : owed;
    } catch (error) {
      if (!isOutage(error) || table.database.isClosing) throw error;
      isRepeated = true;
      await table.database.whenAvailable();
    }
  }
}

/** An answer got lost: a row that is gone may have been deleted by the statement that it belonged to. */
async function withGone(table: JobTable, jobs: readonly HeldJob[], owed: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const missing = jobs.filter(({ id }) => !owed.has(id)).map(({ id }) => id);
  const open = await table.findOpen(missing);
  return new Set([...owed, ...missing.filter((id) => !open.has(id))]);
}

function isOutage(error: unknown): boolean {
  return error instanceof KeylineError && error.code === "POSTGRES_UNAVAILABLE";
}

async function settleOnce(table: JobTable, settling: Settle, { mayGuess }: { readonly mayGuess: boolean }): Promise<Written> {
  const { database } = table;
  const client = await database.connect();
  let isClean = false;
  try {
    const written = await writeWithin(table, client, settling, { begins: true, mayGuess });
    if (!written.isVoid) isClean = await commit(database, client, written.xid);
    else isClean = !settling.signal?.aborted && (await rollBack(client));
    return written;
  } catch (error) {
    isClean = !settling.signal?.aborted && (await rollBack(client));
    // On a connection that lives the error is the effects' own, whatever it looks like.
    throw isClean ? error : database.explain(error);
  } finally {
    client.release(!isClean);
  }
}

/**
 * Deletes the jobs' rows and has the effects of those written that were there, within the transaction that is open on `client` or
 * that this `begins`. Where it `mayGuess` that all rows are there, as they nearly always are, the deletion and the first statement
 * of the effects travel together on a pipelining connection.
 */
export async function writeWithin(
  table: JobTable,
  client: PoolClient,
  { jobs, effects, signal }: Settle,
  { begins, mayGuess }: { readonly begins: boolean; readonly mayGuess: boolean },
): Promise<Written> {
  const remove = (): Promise<[unknown, Deletion]> => Promise.all([begins && begin(client), deleteRows(table, client, jobs)]);
  if (!mayGuess || !isPipelining(client) || !jobs.every(isFirst)) {
    const [, deletion] = await inOnePacket(client, remove);
    if (deletion.owed.size > 0) await unlessAborted(effects(client, deletion.owed), signal);
    return { ...deletion, isVoid: false };
  }
  const all = new Set(jobs.map(({ id }) => id));
  const [removed, written] = await inOnePacket(client, () => Promise.allSettled([remove(), unlessAborted(effects(client, all), signal)]));
  if (removed.status === "rejected") throw toError(removed.reason);
  const [, deletion] = removed.value;
  const isVoid = deletion.owed.size < all.size;
  if (written.status === "rejected" && !isVoid) throw toError(written.reason);
  return { ...deletion, isVoid };
}

// One that was delivered or has failed before is the likeliest to be settled by now.
function isFirst({ attempts, isAgain }: HeldJob): boolean {
  return attempts === 0 && isAgain !== true;
}

function isPipelining(client: PoolClient): boolean {
  return "pipeline" in client && client.pipeline;
}

/** Waits for `work` until `signal` is aborted, then throws its reason: effects that hang must not hold their connection for ever. */
function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(toError(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Deletes the jobs' rows within the transaction that is open on `client`. */
async function deleteRows(table: JobTable, client: PoolClient, jobs: readonly HeldJob[]): Promise<Deletion> {
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

/** What `work` sends before it first waits leaves in one packet, where the connection shows its stream: one write, and the server wakes once. */
function inOnePacket<Result>(client: PoolClient, work: () => Result): Result {
  const stream = streamOf(client);
  stream?.cork();
  try {
    return work();
  } finally {
    stream?.uncork();
  }
}

function streamOf(client: PoolClient): Writable | undefined {
  const connection = "connection" in client ? (client.connection as { readonly stream?: unknown } | undefined) : undefined;
  return connection?.stream instanceof Writable ? connection.stream : undefined;
}
