/*
 * DESIGN. Rows are counted one by one: a million of them take from 0.2 to a second, and consoles and scrapers ask every second. So only the first so many are counted each time. Where there are more,
 * the whole number is remembered, and counted again behind the answers when it has stood for twenty times as long as counting took: that costs PostgreSQL a twentieth of a core at the most for each process that asks.
 */
import { performance } from "../../runtime/clock.ts";
import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** Of the rows of a queue that nobody runs now, and no worker has. */
export interface RowStatus {
  readonly dead: number;
  readonly parked: number;
  /** Dead letters that were dropped so far. */
  readonly dropped: number;
}

/** So many are counted anew at each look. */
const near = 10_000;
const restTimes = 20;
const leastRestMs = 2_000;

const isParked = "queue = $1 AND state = 'scheduled' AND parked IS NOT NULL AND (due_at IS NULL OR due_at > now())";

// In the order of an index, for a planner whose statistics know of none yet. Without a limit ($2 is null) all are counted.
const status: Statement = {
  name: "keyline-row-status",
  text: `SELECT (SELECT count(*) FROM (
      SELECT FROM keyline.job WHERE queue = $1 AND state = 'dead' ORDER BY coalesce(died_at, added_at), id LIMIT $2::bigint) AS dead)::float8 AS dead,
    (SELECT count(*) FROM (SELECT FROM keyline.job WHERE ${isParked} ORDER BY seq LIMIT $2::bigint) AS parked)::float8 AS parked,
    coalesce((SELECT dropped FROM keyline.dropped_letter WHERE queue = $1), 0)::float8 AS dropped`,
};

const nearStatus: Statement = { ...status, isQuick: true };

const none: RowStatus = { dead: 0, parked: 0, dropped: 0 };

export class RowStatusReader {
  readonly #database: Database;
  readonly #queue: string;
  #all: { readonly status: RowStatus; readonly restsUntil: number } | undefined;
  #counting: Promise<RowStatus> | undefined;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Exact up to 10,000 rows of a kind; of more, what there were some seconds ago. */
  async read(): Promise<RowStatus> {
    const first = await this.#count(nearStatus, near);
    const isDeadNear = first.dead < near;
    const isParkedNear = first.parked < near;
    if (isDeadNear && isParkedNear) {
      this.#all = undefined;
      return first;
    }
    const all = await this.#countAll();
    return {
      dead: isDeadNear ? first.dead : Math.max(near, all.dead),
      parked: isParkedNear ? first.parked : Math.max(near, all.parked),
      dropped: first.dropped,
    };
  }

  async #countAll(): Promise<RowStatus> {
    if (!this.#all) return (this.#counting ??= this.#recount());
    if (performance.now() >= this.#all.restsUntil) {
      this.#counting ??= this.#recount();
      // Whoever asks next is told of what keeps it from being counted.
      this.#counting.catch(() => undefined);
    }
    return this.#all.status;
  }

  async #recount(): Promise<RowStatus> {
    const begun = performance.now();
    try {
      const counted = await this.#count(status, null);
      const ended = performance.now();
      this.#all = { status: counted, restsUntil: ended + Math.max(leastRestMs, restTimes * (ended - begun)) };
      return counted;
    } finally {
      this.#counting = undefined;
    }
  }

  async #count(statement: Statement, most: number | null): Promise<RowStatus> {
    const [row] = await this.#database.query<{ [Name in keyof RowStatus]: RowStatus[Name] }>(statement, [this.#queue, most]);
    return row ?? none;
  }
}
