import { toError } from "../../runtime/errors.ts";
import type { Database } from "./database.ts";
import { timed, type Statement } from "./statement.ts";

const begin: Statement = { name: "keyline-begin-bounded", text: "SELECT set_config('statement_timeout', $1, true)" };

/** Where the server says nothing at all. */
const answerWithinMs = 10_000;

/** What a statement that reads finds; undefined when it took longer than `withinMs`: then the server has ended it. Throws what `Database.query` throws. */
export async function readWithin<Row extends object>(
  database: Database,
  withinMs: number,
  { statement, values }: { readonly statement: Statement; readonly values: readonly unknown[] },
): Promise<Row[] | undefined> {
  const client = await database.connect();
  let isClean = false;
  try {
    await client.query(timed({ text: "BEGIN READ ONLY" }, answerWithinMs));
    await client.query(timed(database.prepared(begin, [String(withinMs)]), answerWithinMs));
    const { rows } = await client.query<Row>(timed(database.prepared(statement, values), withinMs + answerWithinMs));
    await client.query(timed({ text: "COMMIT" }, answerWithinMs));
    isClean = true;
    return rows;
  } catch (error) {
    if (toError(error).message.includes("statement timeout")) return undefined;
    throw database.explain(error, client);
  } finally {
    database.release(client, isClean);
  }
}
