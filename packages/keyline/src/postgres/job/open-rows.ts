import { readWithin } from "../client/bounded-read.ts";
import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

export interface OpenRows {
  /** Undefined where it took too long. */
  readonly open: number | undefined;
  readonly undelivered: number;
}

const withinMs = 1_000;
const mostUndelivered = 10_000;

const countOpen: Statement = {
  name: "keyline-count-open",
  text: "SELECT count(*)::float8 AS open FROM keyline.job WHERE queue = $1 AND state IN ('waiting', 'scheduled')",
};

const countUndelivered: Statement = {
  name: "keyline-count-undelivered",
  isQuick: true,
  text: `SELECT count(*)::float8 AS undelivered FROM (
    SELECT FROM keyline.job WHERE queue = $1 AND delivered_to IS NULL AND state IN ('waiting', 'scheduled') ORDER BY seq LIMIT ${mostUndelivered}) AS jobs`,
};

/** How many rows of a queue have not ended, and how many of these are not known to be on Valkey. */
export async function readOpenRows(database: Database, queue: string): Promise<OpenRows> {
  const [[row], found] = await Promise.all([
    database.query<{ undelivered: number }>(countUndelivered, [queue]),
    readWithin<{ open: number }>(database, withinMs, { statement: countOpen, values: [queue] }),
  ]);
  return { open: found?.[0]?.open, undelivered: row?.undelivered ?? 0 };
}
