import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** A schedule's row. Times are milliseconds since 1970. */
export interface ScheduleRow {
  readonly name: string;
  readonly revision: string;
  readonly spec: string;
  readonly data: string;
  readonly declared_at: number;
  readonly next_at: number | null;
  readonly last_at: number | null;
  readonly ticks: number;
}

/** The row as it was read: whatever changes a schedule changes one of the two. */
export interface RowBefore {
  readonly revision: string;
  readonly next_at: number | null;
}

/** A job that is a tick. */
export interface TickRow {
  readonly id: string;
  /** The tick as JSON. */
  readonly schedule: string;
}

// Multiplied by an interval: a number of seconds would not be exact to the millisecond for each of them.
const time = (value: string): string => `(timestamptz 'epoch' + ${value}::float8 * interval '1 millisecond')`;
// To the nearest one, also where it is compared: somebody may write another time by hand.
const ms = (column: string): string => `round(extract(epoch FROM ${column}) * 1000)::float8`;

const columns = `name, revision, spec::text AS spec, data::text AS data, ${ms("declared_at")} AS declared_at, ${ms("next_at")} AS next_at,
  ${ms("last_at")} AS last_at, ticks::float8 AS ticks`;
// Rounded down, so that nothing is due before its time.
const now = "floor(extract(epoch FROM now()) * 1000)::float8 AS now";

const read: Statement = {
  name: "keyline-read-schedule",
  text: `SELECT ${now}, schedule.* FROM (VALUES (1)) AS one LEFT JOIN
    (SELECT ${columns} FROM keyline.schedule WHERE queue = $1 AND name = $2) AS schedule ON true`,
};

const insert: Statement = {
  name: "keyline-insert-schedule",
  text: `INSERT INTO keyline.schedule (queue, name, revision, spec, data, declared_at, next_at, last_at, ticks)
    VALUES ($1, $2, $3, $4, $5, ${time("$6")}, ${time("$7")}, ${time("$8")}, $9) ON CONFLICT (queue, name) DO NOTHING RETURNING name`,
};

const update: Statement = {
  name: "keyline-update-schedule",
  text: `UPDATE keyline.schedule SET revision = $3, spec = $4, data = $5, declared_at = ${time("$6")}, next_at = ${time("$7")},
      last_at = ${time("$8")}, ticks = $9
    WHERE queue = $1 AND name = $2 AND revision = $10 AND ${ms("next_at")} IS NOT DISTINCT FROM $11::float8 RETURNING name`,
};

// One statement, so that nothing waits under a lock for a process that may be gone. Who comes second waits for the first, and then finds another time.
// A job that is there with this id is this tick.
const tick: Statement = {
  name: "keyline-tick",
  text: `WITH moved AS (
      UPDATE keyline.schedule SET next_at = ${time("$5")}, last_at = ${time("$6")}, ticks = $7
      WHERE queue = $1 AND name = $2 AND revision = $3 AND ${ms("next_at")} = $4::float8 RETURNING data
    ), added AS (
      INSERT INTO keyline.job (queue, id, data, schedule)
      SELECT $1, tick.id, moved.data, tick.schedule::json FROM moved CROSS JOIN unnest($8::text[], $9::text[]) AS tick (id, schedule)
      ON CONFLICT (queue, id) DO NOTHING RETURNING id
    )
    SELECT ARRAY(SELECT id FROM added) AS ids FROM moved`,
};

const remove: Statement = {
  name: "keyline-delete-schedule",
  text: "DELETE FROM keyline.schedule WHERE queue = $1 AND name = $2 RETURNING name",
};

const page: Statement = {
  name: "keyline-list-schedules",
  text: `SELECT ${columns} FROM keyline.schedule WHERE queue = $1 AND name > $2 ORDER BY name LIMIT $3`,
};

// With those that come next, whose data nobody needs.
const due: Statement = {
  name: "keyline-due-schedules",
  text: `SELECT ${now}, schedule.* FROM (VALUES (1)) AS one LEFT JOIN (
      SELECT ${columns.replace("data::text", "CASE WHEN next_at <= now() THEN data::text ELSE '' END")} FROM keyline.schedule
      WHERE queue = $1 AND next_at IS NOT NULL ORDER BY schedule.next_at LIMIT $2
    ) AS schedule ON true`,
};

/** The schedules of one transactional queue. */
export class ScheduleTable {
  readonly database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.database = database;
    this.#queue = queue;
  }

  /** The row, and the server's time. */
  async read(name: string): Promise<{ readonly now: number; readonly row: ScheduleRow | undefined }> {
    return first(await this.database.query<MaybeRow>(read, [this.#queue, name]));
  }

  /** False when the row is not as it was before. */
  async write(before: RowBefore | undefined, row: ScheduleRow): Promise<boolean> {
    const { name, revision, spec, data, declared_at, next_at, last_at, ticks } = row;
    const values = [this.#queue, name, revision, spec, data, declared_at, next_at, last_at, ticks];
    const written = before
      ? await this.database.query(update, [...values, before.revision, before.next_at])
      : await this.database.query(insert, values);
    return written.length === 1;
  }

  /** Notes ticks and adds their jobs, if the row is as it was before. Returns the ids of the jobs that were added, undefined when it is not. */
  async tick(
    before: RowBefore,
    row: Omit<ScheduleRow, "spec" | "data" | "declared_at">,
    jobs: readonly TickRow[],
  ): Promise<ReadonlySet<string> | undefined> {
    const { name, next_at, last_at, ticks } = row;
    const ids = jobs.map((job) => job.id);
    const schedules = jobs.map((job) => job.schedule);
    const values = [this.#queue, name, before.revision, before.next_at, next_at, last_at, ticks, ids, schedules];
    const [moved] = await this.database.query<{ ids: string[] }>(tick, values);
    return moved && new Set(moved.ids);
  }

  async remove(name: string): Promise<boolean> {
    return (await this.database.query(remove, [this.#queue, name])).length === 1;
  }

  page(name: string, limit: number): Promise<ScheduleRow[]> {
    return this.database.query<ScheduleRow>(page, [this.#queue, name, limit]);
  }

  /** The schedules whose ticks come next, up to `limit`, due or not; and the server's time. The data only of those that are due. */
  async next(limit: number): Promise<{ readonly now: number; readonly rows: readonly ScheduleRow[] }> {
    const rows = await this.database.query<MaybeRow>(due, [this.#queue, limit]);
    return { now: first(rows).now, rows: rows.filter(isRow) };
  }
}

type MaybeRow = { readonly now: number } & (ScheduleRow | { readonly name: null });

function isRow(row: MaybeRow): row is { readonly now: number } & ScheduleRow {
  return row.name !== null;
}

function first([row]: readonly MaybeRow[]): { readonly now: number; readonly row: ScheduleRow | undefined } {
  return { now: row?.now ?? 0, row: row && isRow(row) ? row : undefined };
}
