import type { PoolClient } from "pg";
import { KeylineError } from "../runtime/errors.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import { isConflict } from "./failures.ts";
import { settle, type JobTable } from "./job-table.ts";

export interface HeldJob {
  readonly id: string;
  /** Failed attempts as the worker knows them: a row with more was given to somebody else since. */
  readonly attempts: number;
}

/** What a settle commits together with the end of its jobs; `owed` holds the ids of those that were not settled before. */
export type Effects = (tx: PoolClient, owed: ReadonlySet<string>) => Promise<void>;

const conflictTries = 10;

/**
 * Ends jobs for good, together with their effects, in one transaction. Returns the ids that this call settled: the row of a job
 * is deleted by exactly one committed transaction, and only that one carries the job's effects.
 *
 * A failure of which nobody knows whether the transaction was committed, and a conflict with another transaction, are
 * answered alike: by the whole of it once more. If it was committed, the rows are gone, and the effects are left out.
 */
export async function settleJobs(
  table: JobTable,
  jobs: readonly HeldJob[],
  { effects, signal }: { readonly effects?: Effects; readonly signal?: AbortSignal } = {},
): Promise<ReadonlySet<string>> {
  for (let conflicts = 0; ;) {
    try {
      return effects ? await settleWith(table, jobs, effects) : await settleAlone(table, jobs);
    } catch (error) {
      if (signal?.aborted) throw error;
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
  const rows = await table.database.query<{ id: string }>(settle, valuesOf(table, jobs));
  return new Set(rows.map((row) => row.id));
}

async function settleWith(table: JobTable, jobs: readonly HeldJob[], effects: Effects): Promise<ReadonlySet<string>> {
  const client = await table.database.connect();
  let isClean = false;
  try {
    // Both at once: on a pipelining connection they travel together.
    const [, settled] = await Promise.all([
      client.query("BEGIN"),
      client.query<{ id: string }>({ ...settle, values: valuesOf(table, jobs) }),
    ]);
    const owed = new Set(settled.rows.map((row) => row.id));
    if (owed.size > 0) await effects(client, owed);
    const { command } = await client.query("COMMIT");
    isClean = true;
    if (command !== "COMMIT") {
      throw new Error(
        "A statement of the settle failed and its error was caught: PostgreSQL rolled all of it back. Use a savepoint, or let the error pass",
      );
    }
    return owed;
  } catch (error) {
    if (!isClean) isClean = await rollBack(client);
    throw table.database.explain(error);
  } finally {
    client.release(!isClean);
  }
}

/** True when the connection can be used again. */
export function rollBack(client: PoolClient): Promise<boolean> {
  return client.query("ROLLBACK").then(
    () => true,
    () => false,
  );
}

function valuesOf(table: JobTable, jobs: readonly HeldJob[]): unknown[] {
  return [table.queue, jobs.map((job) => job.id), jobs.map((job) => job.attempts)];
}
