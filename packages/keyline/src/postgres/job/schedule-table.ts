import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** A schedule's row. Times are milliseconds since 1970. */
export interface ScheduleRow {
  readonly name: string;
  readonly revision: string;
  readonly spec: string;
  readonly data: string;
  readonly declared_at: number;
  /** NULL also while it is paused. */
  readonly next_at: number | null;
  readonly paused: boolean;
  /** The tick that waits while it is paused. */
  readonly waiting_at: number | null;
  readonly last_at: number | null;
  readonly ticks: number;
}

/** The row as it was read: whatever changes a schedule changes one of the two. */
export interface RowBefore {
  readonly revision: string;
  readonly next_at: number | null;
}

/** A row once ticks are made, and their jobs. */
export interface TickedRow extends Pick<ScheduleRow, "name" | "next_at" | "last_at" | "ticks"> {
  readonly before: RowBefore;
  readonly jobs: readonly {
    readonly id: string;
    /** The tick as JSON. */
    readonly schedule: string;
  }[];
}

// Multiplied by an interval: a number of seconds would not be exact to the millisecond for each of them.
const time = (value: string): string => `(timestamptz 'epoch' + ${value}::float8 * interval '1 millisecond')`;
// To the nearest one, also where it is compared: somebody may write another time by hand.
const ms = (column: string): string => `round(extract(epoch FROM ${column}) * 1000)::float8`;

const columns = `name, revision, spec::text AS spec, data::text AS data, ${ms("declared_at")} AS declared_at, ${ms("next_at")} AS next_at,
  paused, ${ms("waiting_at")} AS waiting_at, ${ms("last_at")} AS last_at, ticks::float8 AS ticks`;
// Rounded down, so that nothing is due before its time.
const now = "floor(extract(epoch FROM now()) * 1000)::float8 AS now";

const read: Statement = {
  name: "keyline-read-schedule",
  isQuick: true,
  text: `SELECT ${now}, schedule.* FROM (VALUES (1)) AS one LEFT JOIN
    (SELECT ${columns} FROM keyline.schedule WHERE queue = $1 AND name = $2) AS schedule ON true`,
};

const insert: Statement = {
  name: "keyline-insert-schedule",
  text: `INSERT INTO keyline.schedule (queue, name, revision, spec, data, declared_at, next_at, last_at, ticks, paused, waiting_at)
    VALUES ($1, $2, $3, $4, $5, ${time("$6")}, ${time("$7")}, ${time("$8")}, $9, $10, ${time("$11")}) ON CONFLICT (queue, name) DO NOTHING RETURNING name`,
};

const update: Statement = {
  name: "keyline-update-schedule",
  text: `UPDATE keyline.schedule SET revision = $3, spec = $4, data = $5, declared_at = ${time("$6")}, next_at = ${time("$7")},
      last_at = ${time("$8")}, ticks = $9, paused = $10, waiting_at = ${time("$11")}
    WHERE queue = $1 AND name = $2 AND revision = $12 AND ${ms("next_at")} IS NOT DISTINCT FROM $13::float8 RETURNING name`,
};

// One statement, so that nothing waits under a lock for a process that may be gone. Who comes second waits for the first, and then finds other times. Rows
// are locked in one order, or two who tick the same ones would wait for each other. A job that is there with this id is this tick.
const tick: Statement = {
  name: "keyline-tick",
  text: `WITH new AS (
      SELECT * FROM unnest($2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[], $7::float8[])
        AS new (name, revision, before_at, next_at, last_at, ticks)
    ), same AS (
      SELECT name FROM keyline.schedule JOIN new USING (name)
      WHERE schedule.queue = $1 AND schedule.revision = new.revision AND ${ms("schedule.next_at")} = new.before_at
      ORDER BY name FOR UPDATE OF schedule
    ), moved AS (
      UPDATE keyline.schedule SET next_at = ${time("new.next_at")}, last_at = ${time("new.last_at")}, ticks = new.ticks
      FROM new JOIN same USING (name) WHERE schedule.queue = $1 AND schedule.name = new.name RETURNING schedule.name, schedule.data
    ), added AS (
      INSERT INTO keyline.job (queue, id, data, schedule)
      SELECT $1, tick.id, moved.data, tick.schedule::json
      FROM moved JOIN unnest($8::text[], $9::text[], $10::text[]) WITH ORDINALITY AS tick (name, id, schedule, place) USING (name)
      ORDER BY tick.place ON CONFLICT (queue, id) DO NOTHING RETURNING id
    )
    SELECT ARRAY(SELECT name FROM moved) AS names, ARRAY(SELECT id FROM added) AS ids`,
};

const run: Statement = {
  name: "keyline-run-schedule",
  text: `INSERT INTO keyline.job (queue, id, data, schedule)
    SELECT $1, $4, data, $5::json FROM keyline.schedule WHERE queue = $1 AND name = $2 AND revision = $3 RETURNING id`,
};

const remove: Statement = {
  name: "keyline-delete-schedule",
  text: "DELETE FROM keyline.schedule WHERE queue = $1 AND name = $2 RETURNING name",
};

const page: Statement = {
  name: "keyline-list-schedules",
  isQuick: true,
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
    const { name, revision, spec, data, declared_at, next_at, paused, waiting_at, last_at, ticks } = row;
    const values = [this.#queue, name, revision, spec, data, declared_at, next_at, last_at, ticks, paused, waiting_at];
    const written = before
      ? await this.database.query(update, [...values, before.revision, before.next_at])
      : await this.database.query(insert, values);
    return written.length === 1;
  }

  /** Notes ticks of schedules whose rows are as they were before, and adds their jobs. Returns the names of these schedules and the ids of these jobs. */
  async tick(schedules: readonly TickedRow[]): Promise<{ readonly names: readonly string[]; readonly ids: readonly string[] }> {
    const jobs = schedules.flatMap(({ name, jobs: its }) => its.map((job) => ({ name, ...job })));
    const values = [
      this.#queue,
      schedules.map(({ name }) => name),
      schedules.map(({ before }) => before.revision),
      schedules.map(({ before }) => before.next_at),
      schedules.map(({ next_at }) => next_at),
      schedules.map(({ last_at }) => last_at),
      schedules.map(({ ticks }) => ticks),
      jobs.map(({ name }) => name),
      jobs.map(({ id }) => id),
      jobs.map(({ schedule }) => schedule),
    ];
    const [made] = await this.database.query<{ names: string[]; ids: string[] }>(tick, values);
    return made ?? { names: [], ids: [] };
  }

  /** Adds a job of a schedule that has this revision. False where there is none. */
  async run(name: string, revision: string, { id, schedule }: { readonly id: string; readonly schedule: string }): Promise<boolean> {
    return (await this.database.query(run, [this.#queue, name, revision, id, schedule])).length === 1;
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
