import type { Database } from "../client/database.ts";
import { eventId, toEventId, toPosition } from "./event-position.ts";
import type { Statement } from "../client/statement.ts";

/** An event as it is in its row. */
export interface EventRow {
  readonly id: string;
  readonly key: string | undefined;
  readonly data: string;
  /** Of whoever appended it. */
  readonly trace?: string | undefined;
}

export interface EventRange {
  /** Left out itself. */
  readonly after: string;
  /** Included. */
  readonly to: string;
  readonly limit: number;
  /** The page ends with the event that makes it as large. Default 8 MiB. */
  readonly mostBytes?: number;
  readonly reverse: boolean;
}

export interface StreamRow {
  readonly last: string;
  /** Events up to here were dropped by retention. */
  readonly dropped: string;
}

interface Row {
  readonly id: string;
  readonly key: string | null;
  readonly data: string;
  readonly trace?: string | null;
}

const place: Statement = { name: "keyline-place-events", text: "SELECT placed, last::text FROM keyline.place_committed($1, $2)" };
const range: Statement = { name: "keyline-read-events", text: pageOf("position") };
const rangeBackwards: Statement = { name: "keyline-read-events-backwards", text: pageOf("position DESC") };
// One row at least, for `is_known`: without an id where nothing comes behind.
const behind: Statement = {
  name: "keyline-read-events-behind",
  text: `SELECT is_known, page.id, page.key, page.data, page.trace FROM (
      SELECT $2::bigint <= coalesce((SELECT dropped_position FROM keyline.stream WHERE name = $1), 0)
        OR EXISTS (SELECT FROM keyline.event WHERE stream = $1 AND position = $2) AS is_known
    ) AS place LEFT JOIN LATERAL (${pageOf("position")}) AS page ON true`,
};
const readCommitted: Statement = {
  name: "keyline-read-committed-events",
  text: "SELECT id, key, data, trace FROM keyline.read_committed_events($1, $2, $3, $4, $6, $5)",
};
const beginBehind: Statement = {
  name: "keyline-begin-behind",
  text: `INSERT INTO keyline.stream (name, begins_behind) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET begins_behind = greatest(stream.begins_behind, excluded.begins_behind)`,
};
const newestUpTo: Statement = {
  name: "keyline-newest-event-up-to",
  text: `SELECT coalesce(
      (SELECT position FROM keyline.event WHERE stream = $1 AND position > 0 AND position <= $2 ORDER BY position DESC LIMIT 1), 0
    )::text AS position`,
};
const history: Statement = {
  name: "keyline-read-key",
  text: `SELECT ${eventId} AS id, key, data, trace FROM keyline.event WHERE stream = $1 AND key = $2 AND position > 0 ORDER BY position DESC LIMIT $3`,
};
const keyRange: Statement = { name: "keyline-read-key-range", text: keyRangeBy("position") };
const keyRangeBackwards: Statement = { name: "keyline-read-key-range-backwards", text: keyRangeBy("position DESC") };
const find: Statement = {
  name: "keyline-find-events",
  text: `SELECT ${eventId} AS id, key, data, trace FROM keyline.event WHERE stream = $1 AND position = ANY($2::bigint[])`,
};
const findRow: Statement = {
  name: "keyline-find-event-row",
  text: `SELECT ${eventId} AS id FROM keyline.event WHERE stream = $1 AND row_id = $2 AND position > 0`,
};
const status: Statement = {
  name: "keyline-stream-status",
  isQuick: true,
  text: "SELECT last_position::text AS last, dropped_position::text AS dropped FROM keyline.stream WHERE name = $1",
};
const count: Statement = {
  name: "keyline-count-events",
  text: "SELECT count(*)::integer AS events FROM keyline.event WHERE stream = $1 AND position > $2 AND position <= $3",
};
const countPage: Statement = {
  name: "keyline-count-page-of-events",
  text: `SELECT count(*)::integer AS entries, coalesce(max(position), 0)::text AS last FROM (
      SELECT position FROM keyline.event WHERE stream = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
    ) AS page`,
};
const first: Statement = {
  name: "keyline-first-event",
  isQuick: true,
  text: "SELECT position::text AS position FROM keyline.event WHERE stream = $1 AND position > 0 ORDER BY position LIMIT 1",
};
// The newest event that is not among the `$2` newest, nor younger than `$3`.
const beforeNewest: Statement = {
  name: "keyline-event-before-newest",
  text: `SELECT greatest(
      coalesce((SELECT position FROM keyline.event WHERE stream = $1 AND position > 0 ORDER BY position DESC OFFSET $2 LIMIT 1), 0),
      coalesce((SELECT position FROM keyline.event WHERE stream = $1 AND position > 0 AND position < $3 ORDER BY position DESC LIMIT 1), 0)
    )::text AS position`,
};

/** The record of one transactional stream. */
export class EventTable {
  readonly stream: string;
  readonly database: Database;

  constructor(database: Database, stream: string) {
    this.database = database;
    this.stream = stream;
  }

  /** Gives places to up to `atMost` committed events. Returns the newest event there is then, and whether there may be more to place. */
  async place(atMost: number): Promise<{ readonly last: string; readonly isUnfinished: boolean }> {
    const [row] = await this.database.query<{ placed: number; last: string }>(place, [this.stream, atMost]);
    return { last: toEventId(row?.last ?? "0"), isUnfinished: row?.placed === atMost };
  }

  /** Events that have their place, in order: a page, which ends early where it is large, and is empty only where there are none. */
  async read({ after, to, limit, mostBytes = pageBytes, reverse }: EventRange): Promise<EventRow[]> {
    const values = [this.stream, toPosition(after), toPosition(to), limit, mostBytes];
    return toEventRows(await this.database.query<Row>(reverse ? rangeBackwards : range, values));
  }

  readAfter(after: string, limit: number): Promise<EventRow[]> {
    return this.read({ after, to: endOfIds, limit, reverse: false });
  }

  /** The events behind one, and whether that one is in the record: or was, before retention dropped it. */
  async readBehind(id: string, limit: number): Promise<{ readonly isKnown: boolean; readonly events: readonly EventRow[] }> {
    const values = [this.stream, toPosition(id), toPosition(endOfIds), limit, pageBytes];
    const rows = await this.database.query<(Row | { readonly id: null }) & { readonly is_known: boolean }>(behind, values);
    return { isKnown: rows[0]?.is_known === true, events: toEventRows(rows.filter((row) => row.id !== null)) };
  }

  /** The newest event that is not behind this id. */
  async newestUpTo(id: string): Promise<string> {
    const [row] = await this.database.query<{ position: string }>(newestUpTo, [this.stream, toPosition(id)]);
    return toEventId(row?.position ?? "0");
  }

  /** Gives no event that comes an id up to this one. */
  async beginBehind(id: string): Promise<void> {
    await this.database.query(beginBehind, [this.stream, toPosition(id)]);
  }

  /** As `read`, with everything that is committed: what has no place yet is given one. */
  async readCommitted({ after, to, limit, reverse }: EventRange): Promise<EventRow[]> {
    const values = [this.stream, toPosition(after), toPosition(to), limit, pageBytes, reverse];
    return toEventRows(await this.database.query<Row>(readCommitted, values));
  }

  /** The newest events of one key, newest first. */
  async history(key: string, limit: number): Promise<EventRow[]> {
    await this.place(mostEvents);
    return toEventRows(await this.database.query<Row>(history, [this.stream, key, limit]));
  }

  /** The events of one key in a range, in order or backwards. */
  async readKey(key: string, { after, to, limit, reverse }: EventRange): Promise<EventRow[]> {
    await this.place(mostEvents);
    const values = [this.stream, key, toPosition(after), toPosition(to), limit];
    return toEventRows(await this.database.query<Row>(reverse ? keyRangeBackwards : keyRange, values));
  }

  /** Those of these events that are there, in no order. */
  async find(ids: readonly string[]): Promise<EventRow[]> {
    return toEventRows(await this.database.query<Row>(find, [this.stream, ids.map((id) => toPosition(id))]));
  }

  /** The id of the event that was appended within a transaction; undefined while that one is not seen committed. */
  async findRow(rowId: string): Promise<string | undefined> {
    await this.place(mostEvents);
    const [row] = await this.database.query<{ id: string }>(findRow, [this.stream, rowId]);
    return row?.id;
  }

  async status(): Promise<StreamRow> {
    const [row] = await this.database.query<{ last: string; dropped: string }>(status, [this.stream]);
    return { last: toEventId(row?.last ?? "0"), dropped: toEventId(row?.dropped ?? "0") };
  }

  /** Counts up to `limit` events after one and up to another, or "+". */
  async countPage(
    after: string,
    { to, limit }: { readonly to: string; readonly limit: number },
  ): Promise<{ readonly entries: number; readonly last: string }> {
    const values = [this.stream, toPosition(after), toPosition(to === "+" ? endOfIds : to), limit];
    const [row] = await this.database.query<{ entries: number; last: string }>(countPage, values);
    return row && row.entries > 0 ? { entries: row.entries, last: toEventId(row.last) } : { entries: 0, last: "" };
  }

  /** The oldest event that has its place. */
  async first(): Promise<string | undefined> {
    const [row] = await this.database.query<{ position: string }>(first, [this.stream]);
    return row && toEventId(row.position);
  }

  /** How many events there are after one and up to another. */
  async count(after: string, to: string): Promise<number> {
    const [row] = await this.database.query<{ events: number }>(count, [this.stream, toPosition(after), toPosition(to)]);
    return row?.events ?? 0;
  }

  /** The newest event that is neither among the `newest` last ones nor as young as `youngerThan` (an id). */
  async beforeNewest(newest: number, youngerThan: string): Promise<string> {
    const [row] = await this.database.query<{ position: string }>(beforeNewest, [this.stream, newest, toPosition(youngerThan)]);
    return toEventId(row?.position ?? "0");
  }
}

const endOfIds = "18446744073709551615-0";
/** Of what is read at once: events may be megabytes. */
export const pageBytes = 8_388_608;
/** PostgreSQL's largest integer. */
const mostEvents = 0x7fffffff;

/** SQL: a page of a stream's events behind $2 and up to $3, at most $4, that ends with the one that makes it larger than $5 bytes. */
function pageOf(order: string): string {
  return `SELECT ${eventId} AS id, key, data, trace FROM (
      SELECT *, sum(octet_length(data)) OVER (ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS size_before FROM (
        SELECT position, key, data, trace FROM keyline.event WHERE stream = $1 AND position > $2 AND position <= $3 ORDER BY ${order} LIMIT $4
      ) AS found
    ) AS page WHERE size_before IS NULL OR size_before < $5 ORDER BY ${order}`;
}

function keyRangeBy(order: string): string {
  return `SELECT ${eventId} AS id, key, data, trace FROM keyline.event
    WHERE stream = $1 AND key = $2 AND position > $3 AND position <= $4 AND position > 0 ORDER BY ${order} LIMIT $5`;
}

function toEventRows(rows: readonly Row[]): EventRow[] {
  return rows.map(({ id, key, data, trace }) => ({ id, key: key ?? undefined, data, trace: trace ?? undefined }));
}
