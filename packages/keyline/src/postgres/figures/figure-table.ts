import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

export type Shape = "queue" | "stream" | "channel";

/** What was counted in an hour since 1970. */
export interface KeptHour {
  readonly hour: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly depth?: string | undefined;
}

const newest: Statement = {
  name: "keyline-newest-figure",
  text: "SELECT max(hour) AS hour FROM keyline.figure WHERE shape = $1 AND name = $2",
};
// An hour that is over does not change; who comes second has the same numbers.
const keep: Statement = {
  name: "keyline-keep-figures",
  text: `INSERT INTO keyline.figure (shape, name, hour, counts) SELECT $1, $2, hour, counts FROM unnest($3::integer[], $4::json[]) AS kept (hour, counts)
    ON CONFLICT DO NOTHING`,
};
const forget: Statement = {
  name: "keyline-forget-figures",
  text: "DELETE FROM keyline.figure WHERE shape = $1 AND name = $2 AND hour < $3",
};
const read: Statement = {
  name: "keyline-read-figures",
  isQuick: true,
  text: "SELECT hour, counts FROM keyline.figure WHERE shape = $1 AND name = $2 AND hour BETWEEN $3 AND $4",
};

/** The hours of one queue, stream or channel that are over. */
export class FigureTable {
  readonly database: Database;
  readonly #names: readonly [shape: Shape, name: string];

  constructor(database: Database, shape: Shape, name: string) {
    this.database = database;
    this.#names = [shape, name];
  }

  /** The newest that is kept. */
  async newest(): Promise<number | undefined> {
    const [row] = await this.database.query<{ hour: number | null }>(newest, this.#names);
    return row?.hour ?? undefined;
  }

  /** Keeps hours, and forgets those before another. */
  async keep(hours: readonly KeptHour[], forgetBefore: number): Promise<void> {
    const counts = hours.map((hour) => JSON.stringify({ ...Object.fromEntries(hour.counts), depth: hour.depth }));
    await this.database.query(keep, [...this.#names, hours.map(({ hour }) => hour), counts]);
    await this.database.query(forget, [...this.#names, forgetBefore]);
  }

  async read(first: number, last: number): Promise<KeptHour[]> {
    const rows = await this.database.query<{ hour: number; counts: Record<string, number> & { depth?: string } }>(read, [
      ...this.#names,
      first,
      last,
    ]);
    return rows.map(({ hour, counts: { depth, ...counts } }) => ({ hour, counts: new Map(Object.entries(counts)), depth }));
  }
}
