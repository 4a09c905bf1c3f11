import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import { readGroups, type GroupRow } from "./group-rows.ts";

/** A queue's gates as its record has them. */
export interface GateRow {
  readonly gates: Readonly<Record<string, number>>;
  readonly paused_groups: readonly string[];
  /** A 64-bit number, as text; it grows with each change. */
  readonly revision: string;
}

const returned = "gates, paused_groups, gates_revision::text AS revision";

const read: Statement = {
  name: "keyline-read-gates",
  text: `SELECT ${returned} FROM keyline.queue WHERE name = $1 AND gates_revision > 0`,
};

const change: Statement = {
  name: "keyline-change-gates",
  text: `INSERT INTO keyline.queue (name, gates, gates_revision) VALUES ($1, jsonb_strip_nulls($2::jsonb), 1)
    ON CONFLICT (name) DO UPDATE SET gates = jsonb_strip_nulls(queue.gates || $2::jsonb), gates_revision = queue.gates_revision + 1
    RETURNING ${returned}`,
};

const pauseGroup: Statement = {
  name: "keyline-pause-group",
  text: `INSERT INTO keyline.queue (name, paused_groups, gates_revision) VALUES ($1, CASE WHEN $3 THEN ARRAY[$2::text] ELSE '{}' END, 1)
    ON CONFLICT (name) DO UPDATE SET
      paused_groups = CASE WHEN $3 THEN array_append(array_remove(queue.paused_groups, $2), $2) ELSE array_remove(queue.paused_groups, $2) END,
      gates_revision = queue.gates_revision + 1
    RETURNING ${returned}`,
};

/** The gates of one transactional queue. */
export class GateTable {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Undefined where nobody ever set one. */
  async read(): Promise<GateRow | undefined> {
    return (await this.#database.query<GateRow>(read, [this.#queue]))[0];
  }

  /** Sets gates; null takes one away. */
  async change(gates: Readonly<Record<string, number | null>>): Promise<GateRow | undefined> {
    return (await this.#database.query<GateRow>(change, [this.#queue, JSON.stringify(gates)]))[0];
  }

  async pauseGroup(group: string, isPaused: boolean): Promise<GateRow | undefined> {
    return (await this.#database.query<GateRow>(pauseGroup, [this.#queue, group, isPaused]))[0];
  }

  /** The groups that have jobs, by their names, behind one. */
  groups(after: string, limit: number): Promise<GroupRow[]> {
    return readGroups(this.#database, { queue: this.#queue, after, limit });
  }
}
