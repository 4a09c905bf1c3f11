import type { PoolClient } from "pg";
import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import { isAnswerLost, isOutage } from "../client/failures.ts";
import { countOf, isBehind } from "./held-count.ts";
import { endChildren, joinIds, separator, settle, settleAll, settleChildren, settleKept, settleOne, type JobTable } from "./job-table.ts";
import { columnsOf, type ResultRow } from "./outcome-table.ts";
import type { Claim, Claims, ConflictCounts, HeldRow, WholeClaims } from "../settle/settlement.ts";

interface SettledRow {
  readonly settled: number;
  /** Null when all were settled. */
  readonly missing: string | null;
  readonly xid: string | null;
  /** Numbers of the families that ended children belong to; null where there are none, undefined where they are not known. */
  readonly families?: string | null;
}

/** Settles jobs by deleting their rows. */
export class JobClaims implements Claims {
  readonly #table: JobTable;

  constructor(table: JobTable) {
    this.#table = table;
  }

  get database(): Database {
    return this.#table.database;
  }

  get counts(): ConflictCounts {
    return this.#table.counts;
  }

  async claim(client: PoolClient, jobs: readonly HeldRow[]): Promise<Claim> {
    const table = this.#table;
    const [first] = jobs;
    try {
      if (jobs.length === 1 && first) {
        const { rows } = await client.query<{ xid: string | null }>(
          table.database.prepared(settleOne, [table.queue, first.id, countOf(first)]),
        );
        const xid = rows[0]?.xid ?? undefined;
        return { owed: new Set(xid === undefined ? [] : [first.id]), xid };
      }
      const { rows } = await client.query<SettledRow>(table.database.prepared(settle, valuesOf(table, jobs)));
      return { owed: owedOf(jobs, rows[0]), xid: rows[0]?.xid ?? undefined };
    } catch (error) {
      throw table.database.explain(error, client);
    }
  }

  readonly whole: WholeClaims<HeldRow> = {
    claim: async (client, jobs) => {
      const table = this.#table;
      const { rows } = await client.query<{ xid: string | null }>(table.database.prepared(settleAll, valuesOf(table, jobs)));
      return rows[0]?.xid ?? undefined;
    },
    findEnded: (ids) => findEnded(this.#table, ids),
  };
}

/** A job that ends without effects, and its result where that is kept. */
export interface CompletedRow extends HeldRow {
  readonly result?: ResultRow | undefined;
}

export interface Completed {
  /** Those that were this worker's to end. */
  readonly ended: ReadonlySet<CompletedRow>;
  /** Families whose children are among them; undefined where that is not known. */
  readonly families: readonly string[] | undefined;
}

/** Ends jobs that have no effects. Where a job is among them twice, one of the two is not ended. */
export async function completeJobs(table: JobTable, all: readonly CompletedRow[]): Promise<Completed> {
  const jobs = withoutCopies(all);
  const kept = jobs.flatMap(({ result }) => result ?? []);
  const { statement, values } = completion(table, jobs, kept);
  for (let isRepeated = false; ;) {
    try {
      const [row] = await table.database.query<SettledRow>(statement, values);
      const owed = owedOf(jobs, row);
      if (isRepeated && owed.size < jobs.length) return { ended: ofIds(jobs, await withGone(table, jobs, owed)), families: undefined };
      return { ended: ofIds(jobs, owed), families: row?.families === null ? [] : row?.families?.split(",") };
    } catch (error) {
      if (!isOutage(error) || table.database.isClosing) throw error;
      isRepeated ||= isAnswerLost(error);
      await table.database.whenAvailable();
    }
  }
}

/** A statement has one count and one result of each: of two elements of a job those of the one that is likelier to count. */
function withoutCopies(jobs: readonly CompletedRow[]): readonly CompletedRow[] {
  const byId = new Map<string, CompletedRow>();
  for (const job of jobs) {
    const known = byId.get(job.id);
    if (!known || isBehind(known, job)) byId.set(job.id, job);
  }
  return byId.size === jobs.length ? jobs : [...byId.values()];
}

function ofIds(jobs: readonly CompletedRow[], ids: ReadonlySet<string>): ReadonlySet<CompletedRow> {
  return new Set(ids.size === jobs.length ? jobs : jobs.filter(({ id }) => ids.has(id)));
}

function completion(
  table: JobTable,
  jobs: readonly CompletedRow[],
  results: readonly ResultRow[],
): { readonly statement: Statement; readonly values: unknown[] } {
  const values = valuesOf(table, jobs);
  if (results.length === 0) return { statement: settle, values };
  if (!results.some(({ isChild }) => isChild)) return { statement: settleKept, values: [...values, ...columnsOf(results)] };
  const kept = results.filter(({ keepMs }) => keepMs > 0);
  if (kept.length === 0) return { statement: endChildren, values: [...values, ...textsOf(jobs, results)] };
  const [ids, json] = columnsOf(results.filter(({ isChild }) => isChild));
  return { statement: settleChildren, values: [...values, ...columnsOf(kept), ids, json] };
}

/** Ids and values of children, no ids where all jobs are children. JSON has no separator in it, and is never empty. */
function textsOf(jobs: readonly CompletedRow[], children: readonly ResultRow[]): [string | null, string] {
  const ids = children.length === jobs.length ? null : joinIds(children.map(({ id }) => id));
  return [ids, children.map(({ json }) => json ?? "").join(separator)];
}

/** An answer got lost: a row that is gone may have been deleted by the statement that it belonged to. */
async function withGone(table: JobTable, jobs: readonly HeldRow[], owed: Set<string>): Promise<Set<string>> {
  const missing = jobs.filter(({ id }) => !owed.has(id)).map(({ id }) => id);
  return new Set([...owed, ...(await findEnded(table, missing))]);
}

/** Those that are gone as a transaction would leave them that had ended them: nobody has cancelled or buried them. */
async function findEnded(table: JobTable, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const present = await table.findRows(ids);
  // Behind that: one that is cancelled and forgotten in between would be found by neither.
  const cancelled = await table.cancelled.areCancelled(ids);
  return new Set(ids.filter((id) => !present.has(id) && !cancelled.has(id)));
}

function owedOf(jobs: readonly HeldRow[], row: SettledRow | undefined): Set<string> {
  const owed = new Set<string>();
  if (!row || row.settled === 0) return owed;
  for (const { id } of jobs) owed.add(id);
  if (row.missing !== null) for (const id of row.missing.split(separator)) owed.delete(id);
  return owed;
}

function valuesOf(table: JobTable, jobs: readonly HeldRow[]): unknown[] {
  const areCounted = jobs.some((job) => job.attempts > 0 || job.period !== undefined);
  return [table.queue, joinIds(jobs.map((job) => job.id)), areCounted ? jobs.map(countOf).join(separator) : ""];
}
