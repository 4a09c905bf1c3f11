/*
 * DESIGN. Where effects are statements that are known beforehand, all that a transaction does is sent at once: BEGIN, the end of its jobs, the effects of one
 * after the other, COMMIT. The client writes once, and nobody waits in between.
 *
 * - So nobody can look in between either. The end of the jobs fails where one of them is not there (`claimAll`), and with it all that follows: the server
 *   refuses what stands behind a statement that failed, and its COMMIT rolls back.
 * - What failed is made again by others, each settle alone, so that whoever caused it hears of it.
 * - No statement keeps its neighbours for longer than `longestMs`: then it has failed too.
 * - Where the connection breaks the id of the transaction tells what became of it. Where not even that came it is not known here, and the rows have to be asked.
 */
import { createHash } from "node:crypto";
import type { PoolClient, QueryConfig } from "pg";
import { findOut } from "../client/commit.ts";
import type { Database } from "../client/database.ts";
import { isAnswerLost, isConflict } from "../client/failures.ts";
import { timed, type Statement } from "../client/statement.ts";
import { asOne, type SettleStatement } from "./settle-statement.ts";
import { inOnePacket, isPipelining, type ConflictCounts } from "./settlement.ts";

/** What became of a packet: "failed" where nothing of it is there, "unknown" where no answer came, "unsent" where the connection sends one statement at a time. */
export type PacketEnd = "committed" | "failed" | "unknown" | "unsent";

interface Packet {
  /** Sends what ends the rows. Resolves with the transaction's id. */
  readonly claim: (client: PoolClient) => Promise<string | undefined>;
  readonly statements: readonly SettleStatement[];
  readonly counts: ConflictCounts;
}

const longestMs = 1_000;
const begin = `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = ${longestMs}`;
const mostNamed = 200;
const named = new Map<string, Statement>();

/** Commits all of it, or nothing. Throws where there is no connection. */
export async function settleInPacket(database: Database, { claim, statements, counts }: Packet): Promise<PacketEnd> {
  const client = await database.connect();
  if (!isPipelining(client)) {
    database.release(client, true);
    return "unsent";
  }
  let isAnswered = false;
  let xid: string | undefined;
  // Whatever fails first is noted; what stands behind it fails too.
  const note = (error: unknown): void => {
    if (isConflict(error)) counts.settleConflicts++;
    database.explain(error, client);
  };
  try {
    const committing = inOnePacket(client, () => {
      client.query(begin).catch(note);
      claim(client).then((id) => (xid = id), note);
      for (const statement of statements) client.query(queryOf(database, statement)).catch(note);
      return client.query(timed({ text: "COMMIT" }));
    });
    const { command } = await committing;
    isAnswered = true;
    return command === "COMMIT" ? "committed" : "failed";
  } catch (error) {
    const cause = database.explain(error, client);
    if (!isAnswerLost(cause)) {
      isAnswered = true;
      return "failed";
    }
    return xid === undefined ? "unknown" : await lookUp(cause, () => findOut(database, { client, xid, cause }));
  } finally {
    database.release(client, isAnswered);
  }
}

async function lookUp(cause: Error, find: () => Promise<void>): Promise<PacketEnd> {
  try {
    await find();
    return "committed";
  } catch (error) {
    return error === cause ? "failed" : "unknown";
  }
}

/** Prepared on each connection, where it is one of those that come again and again. */
function queryOf(database: Database, statement: SettleStatement): QueryConfig {
  const named = nameOf(statement.text);
  return { ...asOne(statement), ...(named ? database.prepared(named, statement.values ?? []) : timed({ text: statement.text })) };
}

function nameOf(text: string): Statement | undefined {
  const known = named.get(text);
  if (known || named.size >= mostNamed) return known;
  const statement = { name: `keyline-effect-${createHash("sha256").update(text).digest("base64url").slice(0, 22)}`, text };
  named.set(text, statement);
  return statement;
}
