import { randomTag } from "../../runtime/ids.ts";
import type { Database } from "../client/database.ts";
import { isTaken } from "../client/failures.ts";
import type { Statement } from "../client/statement.ts";
import { columns, type JobRow } from "./job-row.ts";
import { RowStatusReader, type RowStatus } from "./row-status.ts";

/** A dead letter without its job. */
export interface DeadHead {
  readonly id: string;
  readonly reason: string | null;
  readonly attempts: number;
  /** When it died, in microseconds since 1970. */
  readonly place: number;
  readonly group: string | null;
  /** Bytes of its data, as stored. */
  readonly size: number;
}

export interface DeadRow {
  readonly id: string;
  readonly place: number;
  readonly data: unknown;
  readonly stack: string | null;
  readonly history: readonly unknown[] | null;
}

/** A row, and when it died: one that died again since is another letter. */
export interface DeadKey {
  readonly id: string;
  readonly place: number;
}

/** From the one behind `after` on, in the order asked for; with places from `first` to `last`. */
export interface DeadRange {
  readonly first: number;
  readonly last: number;
  readonly after: DeadKey | undefined;
  readonly order: "newest" | "oldest";
  readonly limit: number;
}

const mostTries = 10;
const died = "coalesce(died_at, added_at)";
const place = `(extract(epoch FROM ${died}) * 1000000)::float8`;
const timeOf = (microseconds: string): string => `(timestamptz 'epoch' + ${microseconds}::float8 * interval '1 microsecond')`;
const head = `id, last_error AS reason, attempts, ${place} AS place, group_name AS "group", pg_column_size(data) AS size`;
const isDead = `queue = $1 AND state = 'dead'`;

const newest: Statement = {
  name: "keyline-newest-dead",
  isQuick: true,
  text: `SELECT ${head} FROM keyline.job WHERE ${isDead} AND ${died} >= ${timeOf("$2")} AND (${died}, id) < (${timeOf("$3")}, $4)
    ORDER BY ${died} DESC, id DESC LIMIT $5`,
};

const oldest: Statement = {
  name: "keyline-oldest-dead",
  isQuick: true,
  text: `SELECT ${head} FROM keyline.job WHERE ${isDead} AND ${died} <= ${timeOf("$2")} AND (${died}, id) > (${timeOf("$3")}, $4)
    ORDER BY ${died}, id LIMIT $5`,
};

// Each is looked up by its id, by a subquery that the planner does not take apart (OFFSET 0): while statistics say that there are none it would read all
// dead letters instead. What is found is named by its place in the table, for the same reason.
const named: Statement = {
  name: "keyline-dead-of",
  isQuick: true,
  text: `SELECT ${head} FROM unnest($2::text[]) AS letter (of_id)
    CROSS JOIN LATERAL (SELECT * FROM keyline.job WHERE queue = $1 AND id = of_id OFFSET 0) AS job WHERE state = 'dead'`,
};

const keys = "unnest($2::text[], $3::float8[]) AS letter (of_id, of_place)";
const isMeant = `state = 'dead' AND ${place} = of_place`;

const read: Statement = {
  name: "keyline-read-dead",
  isQuick: true,
  text: `SELECT id, of_place AS place, data, last_stack AS stack, history FROM ${keys}
    CROSS JOIN LATERAL (SELECT * FROM keyline.job WHERE queue = $1 AND id = of_id OFFSET 0) AS job WHERE ${isMeant}`,
};

const found = `${keys}
    CROSS JOIN LATERAL (SELECT ctid, * FROM keyline.job WHERE queue = $1 AND id = of_id OFFSET 0 FOR UPDATE SKIP LOCKED) AS found WHERE ${isMeant}`;

// Of letters with one key only one is put back, and none while another job holds it.
const free = `SELECT ctid FROM (
      SELECT found.ctid, dedupe_key, row_number() OVER (PARTITION BY dedupe_key ORDER BY id) AS number FROM ${found}
    ) AS letter WHERE dedupe_key IS NULL OR (number = 1 AND NOT EXISTS (
      SELECT FROM keyline.job AS holder
      WHERE holder.queue = $1 AND holder.dedupe_key = letter.dedupe_key AND holder.state IN ('waiting', 'scheduled') OFFSET 0
    ))`;

// What is noted late of the job as it was before it died must not pass for a note of this: the tag and the count tell them apart (migration 0028).
const redrive: Statement = {
  name: "keyline-redrive",
  text: `UPDATE keyline.job SET state = 'waiting', attempts = 0, delivered_to = NULL, died_at = NULL, retry_tag = $4, parks = parks + 1
    WHERE ctid = ANY (ARRAY(${free})) RETURNING ${columns}`,
};

const endSpecial = "CASE WHEN is_special THEN keyline.end_special($1, ARRAY[id], 'removed') END";

const discard: Statement = {
  name: "keyline-discard",
  text: `WITH gone AS (DELETE FROM keyline.job WHERE ctid = ANY (ARRAY(SELECT found.ctid FROM ${found})) RETURNING id, is_special)
    SELECT id, ${endSpecial} FROM gone`,
};

const now: Statement = {
  name: "keyline-now",
  isQuick: true,
  text: `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::float8 AS now`,
};

const mayLook: Statement = {
  name: "keyline-may-look-at-dead",
  text: `INSERT INTO keyline.dropped_letter AS known (queue, looked_at) VALUES ($1, now())
    ON CONFLICT (queue) DO UPDATE SET looked_at = now() WHERE known.looked_at < now() - $2 * interval '1 millisecond' RETURNING queue`,
};

// The oldest that is kept is found by walking over as many as are kept, along the index.
const drop: Statement = {
  name: "keyline-drop-dead",
  text: `WITH dropped AS (
      DELETE FROM keyline.job WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM keyline.job WHERE ${isDead} AND ${died} < greatest(
          now() - $2 * interval '1 millisecond',
          (SELECT ${died} FROM keyline.job WHERE ${isDead} ORDER BY ${died} DESC OFFSET $3::bigint - 1 LIMIT 1)
        )
        ORDER BY ${died}, id LIMIT $4 FOR UPDATE SKIP LOCKED
      )) RETURNING id, is_special
    ), counted AS (SELECT count(*)::integer AS count, count(${endSpecial}) AS special FROM dropped), noted AS (
      INSERT INTO keyline.dropped_letter AS known (queue, dropped) SELECT $1, count FROM counted WHERE count > 0
      ON CONFLICT (queue) DO UPDATE SET dropped = known.dropped + excluded.dropped
    )
    SELECT count FROM counted`,
};

/** The dead letters of one transactional queue: rows that nobody runs until they are redriven. */
export class DeadTable {
  readonly #database: Database;
  readonly #queue: string;
  readonly #status: RowStatusReader;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
    this.#status = new RowStatusReader(database, queue);
  }

  page({ first, last, after, order, limit }: DeadRange): Promise<DeadHead[]> {
    // Behind every id, or before each of them.
    const values =
      order === "newest"
        ? [first, after?.place ?? last + 1, after?.id ?? "", limit]
        : [last, after?.place ?? first, after?.id ?? "", limit];
    return this.#database.query<DeadHead>(order === "newest" ? newest : oldest, [this.#queue, ...values]);
  }

  of(ids: readonly string[]): Promise<DeadHead[]> {
    return this.#database.query<DeadHead>(named, [this.#queue, ids]);
  }

  read(keys: readonly DeadKey[]): Promise<DeadRow[]> {
    return this.#database.query<DeadRow>(read, this.#values(keys));
  }

  /** The rows that wait again, not those whose key to deduplicate by another job holds; and the tag that their deliveries are noted with. */
  async redrive(keys: readonly DeadKey[]): Promise<{ readonly rows: readonly JobRow[]; readonly tag: string }> {
    const tag = `redriven:${randomTag(12)}`;
    for (let tries = 1; ; tries++) {
      try {
        return { rows: await this.#database.query<JobRow>(redrive, [...this.#values(keys), tag]), tag };
      } catch (error) {
        // A job with one of these keys was added meanwhile: seen from now on.
        if (!isTaken(error) || tries === mostTries) throw error;
      }
    }
  }

  async discard(keys: readonly DeadKey[]): Promise<number> {
    return (await this.#database.query(discard, this.#values(keys))).length;
  }

  /** And how many jobs are parked. */
  counts(): Promise<RowStatus> {
    return this.#status.read();
  }

  /** Microseconds since 1970, by the clock that letters die by. */
  async now(): Promise<number> {
    return (await this.#database.query<{ now: number }>(now, []))[0]?.now ?? 0;
  }

  /** Whether it is this process's turn to look for letters that are not kept: nobody has for `pauseMs`. */
  async mayLook(pauseMs: number): Promise<boolean> {
    return (await this.#database.query(mayLook, [this.#queue, pauseMs])).length === 1;
  }

  /** Drops up to `limit` letters that are not kept any longer, oldest first. Returns how many. */
  async drop({ maxLength, maxAgeMs }: { readonly maxLength: number; readonly maxAgeMs: number }, limit: number): Promise<number> {
    const [row] = await this.#database.query<{ count: number }>(drop, [this.#queue, maxAgeMs, maxLength, limit]);
    return row?.count ?? 0;
  }

  #values(keys: readonly DeadKey[]): unknown[] {
    return [this.#queue, keys.map(({ id }) => id), keys.map((key) => key.place)];
  }
}
