import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import { toPosition } from "./event-position.ts";
import { letters, toDeadEvent, type DeadEvent, type DeadRow } from "./group-table.ts";

const largest = "9223372036854775807";

const page: Statement = {
  name: "keyline-page-dead-events",
  isQuick: true,
  text: `${letters} AND NOT redriven AND settled.position < $4::bigint ORDER BY settled.position DESC LIMIT $3`,
};

const isDead = "stream = $1 AND group_name = $2 AND dead_reason IS NOT NULL AND NOT redriven";

// What retention dropped has nothing that could be handed out.
const redrive: Statement = {
  name: "keyline-redrive-named-events",
  text: `UPDATE keyline.settled_event AS settled SET redriven = true WHERE ${isDead} AND position = ANY($3::bigint[])
    AND EXISTS (SELECT FROM keyline.event WHERE event.stream = $1 AND event.position = settled.position) RETURNING position`,
};

// It stays finished.
const discard: Statement = {
  name: "keyline-discard-named-events",
  text: `UPDATE keyline.settled_event SET dead_reason = NULL WHERE ${isDead} AND position = ANY($3::bigint[]) RETURNING position`,
};

const discardOldest: Statement = {
  name: "keyline-discard-oldest-events",
  text: `UPDATE keyline.settled_event AS settled SET dead_reason = NULL WHERE stream = $1 AND group_name = $2 AND position = ANY (ARRAY(
      SELECT position FROM keyline.settled_event WHERE ${isDead} ORDER BY position LIMIT $3 FOR UPDATE SKIP LOCKED
    )) RETURNING settled.position`,
};

/** The dead letters of one consumer group of a transactional stream. */
export class GroupLetterRows {
  readonly #database: Database;
  readonly #names: readonly [stream: string, group: string];

  constructor(database: Database, { stream, group }: { readonly stream: string; readonly group: string }) {
    this.#database = database;
    this.#names = [stream, group];
  }

  /** Up to `limit` of entries before one, the last of them first; "" for the newest. */
  async page(before: string, limit: number): Promise<DeadEvent[]> {
    const position = before === "" ? largest : toPosition(before);
    return (await this.#database.query<DeadRow & Record<string, unknown>>(page, [...this.#names, limit, position])).map(toDeadEvent);
  }

  /** Marks them to be handed out again. Returns how many. */
  async redrive(ids: readonly string[]): Promise<number> {
    return (await this.#database.query(redrive, [...this.#names, ids.map(toPosition)])).length;
  }

  async discard(ids: readonly string[]): Promise<number> {
    return (await this.#database.query(discard, [...this.#names, ids.map(toPosition)])).length;
  }

  async discardOldest(limit: number): Promise<number> {
    return (await this.#database.query(discardOldest, [...this.#names, limit])).length;
  }
}
