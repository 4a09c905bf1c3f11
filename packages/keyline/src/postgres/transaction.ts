import type { PoolClient } from "pg";
import { KeylineError } from "../runtime/errors.ts";
import { delay } from "../runtime/waiting.ts";
import type { Database } from "./database.ts";
import { rollBack } from "./settlement.ts";

const readStatus = { name: "keyline-transaction-status", text: "SELECT pg_xact_status($1::xid8) AS status" };

const transactionIds = new WeakMap<object, string>();

/** Remembers the id of the transaction that is open on this client, so that its end can be asked for should the answer to COMMIT get lost. */
export function noteTransactionId(client: object, xid: string): void {
  transactionIds.set(client, xid);
}

/**
 * Runs `work` between BEGIN and COMMIT. What it throws rolls back and is thrown on. Throws OUTCOME_UNKNOWN when the connection
 * broke during COMMIT and PostgreSQL could not be asked afterwards.
 */
export async function runTransaction<Result>(database: Database, work: (tx: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await database.connect();
  let isClean = false;
  try {
    await client.query("BEGIN");
    const result = await work(client);
    isClean = await commit(database, client);
    return result;
  } catch (error) {
    isClean = await rollBack(client);
    throw database.explain(error);
  } finally {
    transactionIds.delete(client);
    client.release(!isClean);
  }
}

/** Returns whether the connection can be used again. */
async function commit(database: Database, client: PoolClient): Promise<boolean> {
  let command: string;
  try {
    ({ command } = await client.query("COMMIT"));
  } catch (error) {
    const explained = database.explain(error);
    if (!(explained instanceof KeylineError) || explained.code !== "POSTGRES_UNAVAILABLE") throw explained;
    await findOut(database, transactionIds.get(client), explained);
    return false;
  }
  if (command !== "COMMIT") {
    throw new Error(
      "A statement of the transaction failed and its error was caught: PostgreSQL rolled all of it back. Use a savepoint, or let the error pass",
    );
  }
  return true;
}

/** Returns when the transaction was committed, throws when it was not. */
async function findOut(database: Database, xid: string | undefined, cause: KeylineError): Promise<void> {
  if (xid !== undefined) {
    const deadline = AbortSignal.timeout(15_000);
    while (!deadline.aborted) {
      await database.whenAvailable(deadline);
      const status = await readEnd(database, xid);
      if (status === "committed") return;
      if (status === "aborted") throw cause;
      await delay(50);
    }
  }
  throw new KeylineError(
    "OUTCOME_UNKNOWN",
    "The connection to PostgreSQL broke during COMMIT, and whether it took effect could not be asked: look for your own rows before you do it again",
    { cause },
  );
}

/** The end of a transaction; undefined while it is open, or when PostgreSQL did not answer. */
async function readEnd(database: Database, xid: string): Promise<string | undefined> {
  try {
    const [row] = await database.query<{ status: string | null }>(readStatus, [xid]);
    return row?.status ?? undefined;
  } catch (error) {
    if (error instanceof KeylineError && error.code === "POSTGRES_UNAVAILABLE") return undefined;
    throw error;
  }
}
