import type { PoolClient } from "pg";
import { commit, rollBack } from "./commit.ts";
import type { Database } from "./database.ts";
import { isConflict } from "./failures.ts";
import { lend, originalOf } from "./lent-client.ts";

const transactionIds = new WeakMap<object, string>();

/** Remembers the id of the transaction that is open on this client, so that its end can be asked for should the answer to COMMIT get lost. */
export function noteTransactionId(client: object, xid: string): void {
  transactionIds.set(originalOf(client), xid);
}

/**
 * Runs `work` between BEGIN and COMMIT. What it throws rolls back and is thrown on. Throws OUTCOME_UNKNOWN when the connection
 * broke during COMMIT and PostgreSQL could not be asked afterwards.
 */
export async function runTransaction<Result>(database: Database, work: (tx: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await database.connect();
  let isClean = false;
  try {
    // What a transaction of somebody else's left here is not this one's.
    transactionIds.delete(client);
    await client.query("BEGIN");
    const result = await lend(client, work);
    isClean = await commit(database, client, transactionIds.get(client));
    return result;
  } catch (error) {
    isClean = await rollBack(client);
    // On a connection that lives the error is the caller's own, whatever it looks like; but a conflict has its own answer.
    throw isClean && !isConflict(error) ? error : database.explain(error, client);
  } finally {
    transactionIds.delete(client);
    database.release(client, isClean);
  }
}
