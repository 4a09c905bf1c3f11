import type { PoolClient } from "pg";
import { KeylineError } from "../../runtime/errors.ts";
import { delay } from "../../runtime/waiting.ts";
import type { Database } from "./database.ts";
import { isAnswerLost, isOutage } from "./failures.ts";
import { timed } from "./statement.ts";

const readStatus = { name: "keyline-transaction-status", text: "SELECT pg_xact_status($1::xid8) AS status" };

const askForMs = 15_000;

/**
 * Sends COMMIT and makes sure of what became of it. Returns whether the connection can be used again; throws when the transaction
 * was not committed, and OUTCOME_UNKNOWN when its answer got lost and PostgreSQL could not be asked, for which it needs `xid`.
 */
export async function commit(database: Database, client: PoolClient, xid: string | undefined): Promise<boolean> {
  let command: string;
  try {
    ({ command } = await client.query(timed({ text: "COMMIT" })));
  } catch (error) {
    const explained = database.explain(error, client);
    if (!isAnswerLost(explained)) throw explained;
    await findOut(database, { client, xid, cause: explained });
    return false;
  }
  if (command !== "COMMIT") throw new Error(rolledBack);
  return true;
}

const rolledBack =
  "A statement of the transaction failed and its error was caught: PostgreSQL rolled all of it back. Use a savepoint, or let the error pass";

/** True when the connection can be used again. */
export function rollBack(client: PoolClient): Promise<boolean> {
  return client.query(timed({ text: "ROLLBACK" })).then(
    () => true,
    () => false,
  );
}

/**
 * Returns when the transaction was committed, throws when it was not. An id that nothing durable was written under is given again after a crash:
 * then "committed" may be said of somebody else's transaction, and is no answer.
 */
export async function findOut(
  database: Database,
  { client, xid, cause }: { readonly client: PoolClient; readonly xid: string | undefined; readonly cause: KeylineError },
): Promise<void> {
  const deadline = AbortSignal.timeout(askForMs);
  while (xid !== undefined && !deadline.aborted) {
    await database.whenAvailable(deadline);
    const status = await readEnd(database, xid);
    if (status === "aborted") throw cause;
    if (status === "committed") {
      if (await database.hasNotCrashedSince(client).catch(() => false)) return;
      break;
    }
    await delay(50);
  }
  throw new KeylineError(
    "OUTCOME_UNKNOWN",
    "The connection to PostgreSQL broke during COMMIT, and Keyline could not find out whether it took effect: look for your own rows before you repeat it",
    { cause },
  );
}

/** The end of a transaction; undefined while it is open, or when PostgreSQL did not answer. */
async function readEnd(database: Database, xid: string): Promise<string | undefined> {
  try {
    const [row] = await database.query<{ status: string | null }>(readStatus, [xid]);
    return row?.status ?? undefined;
  } catch (error) {
    if (isOutage(error)) return undefined;
    // The server knows no such id: nothing durable was written under it before a crash.
    if (error instanceof Error && "code" in error && error.code === "22023") return "aborted";
    throw error;
  }
}
