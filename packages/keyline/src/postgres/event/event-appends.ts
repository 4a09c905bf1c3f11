import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { Statement } from "../client/statement.ts";
import { queryWithin } from "../client/tx-check.ts";
import { toEventId } from "./event-position.ts";

export interface NewEvent {
  readonly dataJson: string;
  readonly key: string | undefined;
  /** Of whoever appends it. */
  readonly trace?: string | undefined;
}

export interface Once {
  readonly key: string;
  readonly windowMs: number;
}

/** Where appended events are. */
export interface Placed {
  /** The newest event when the positions were given. */
  readonly before: string;
  /** Events of other transactions that got their positions between that one and these. */
  readonly others: number;
  readonly ids: readonly string[];
}

const append: Statement = {
  name: "keyline-append-events",
  text: "SELECT before::text, placed, first::text FROM keyline.append_events($1, $2, $3)",
};
const appendOnce: Statement = {
  name: "keyline-append-event-once",
  text: "SELECT known, before::text, placed, first::text FROM keyline.append_event_once($1, $2, $3, $4, $5)",
};
/** Where some of them have a trace. */
const appendTraced: Statement = {
  name: "keyline-append-traced-events",
  text: "SELECT before::text, placed, first::text FROM keyline.append_events($1, $2, $3, $4)",
};
const appendTracedOnce: Statement = {
  name: "keyline-append-traced-event-once",
  text: "SELECT known, before::text, placed, first::text FROM keyline.append_event_once($1, $2, $3, $4, $5, $6)",
};
const insertTracedWithin = `INSERT INTO keyline.event (stream, key, data, row_id, trace)
  SELECT $1, key, data, row_id, trace FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS new (data, key, row_id, trace)
  RETURNING pg_current_xact_id()::text AS xid`;
const insertWithin = `INSERT INTO keyline.event (stream, key, data, row_id)
  SELECT $1, key, data, row_id FROM unnest($2::text[], $3::text[], $4::text[]) AS new (data, key, row_id)
  RETURNING pg_current_xact_id()::text AS xid`;
const claimOnce = "SELECT keyline.claim_once($1, $2, $3, $4) AS known";

/** How events come into the record of one transactional stream. */
export class EventAppends {
  readonly #database: Database;
  readonly #stream: string;

  constructor(database: Database, stream: string) {
    this.#database = database;
    this.#stream = stream;
  }

  /** Appends events in a transaction of their own. */
  async append(events: readonly NewEvent[]): Promise<Placed> {
    const traces = tracesOf(events);
    const values = [this.#stream, events.map((event) => event.dataJson), events.map((event) => event.key ?? null), ...traces];
    const statement = traces.length > 0 ? appendTraced : append;
    const [row] = await this.#database.query<{ before: string; placed: number; first: string }>(statement, values);
    if (!row) throw new Error("append_events returned nothing");
    return { before: toEventId(row.before), others: row.placed, ids: idsFrom(row.first, events.length) };
  }

  /** The same for one event, unless its idempotency key is known: then the id of the event that has it. */
  async appendOnce({ dataJson, key, trace }: NewEvent, once: Once): Promise<Placed | string> {
    const values = [this.#stream, dataJson, key ?? null, once.key, once.windowMs, ...(trace === undefined ? [] : [trace])];
    const [row] = await this.#database.query<{ known: string | null; before: string; placed: number; first: string }>(
      trace === undefined ? appendOnce : appendTracedOnce,
      values,
    );
    if (!row) throw new Error("append_event_once returned nothing");
    return row.known ?? { before: toEventId(row.before), others: row.placed, ids: idsFrom(row.first, 1) };
  }

  /** Writes events within the caller's transaction, and returns that one's id. They get their places once it has committed. */
  async insertWithin(tx: TransactionClient, events: readonly (NewEvent & { readonly rowId: string })[]): Promise<string> {
    const values = [
      this.#stream,
      events.map((event) => event.dataJson),
      events.map((event) => event.key ?? null),
      events.map((event) => event.rowId),
    ];
    const traces = tracesOf(events);
    const rows = await queryWithin(tx, traces.length > 0 ? insertTracedWithin : insertWithin, [...values, ...traces]);
    return (rows as { xid: string }[])[0]?.xid ?? "";
  }

  /** Claims an idempotency key within the caller's transaction. Returns the id that it was answered with before; undefined where it is new. */
  async claimOnce(tx: TransactionClient, once: Once, rowId: string): Promise<string | undefined> {
    const rows = await queryWithin(tx, claimOnce, [this.#stream, once.key, rowId, once.windowMs]);
    return (rows as { known: string | null }[])[0]?.known ?? undefined;
  }
}

/** A list of them, where some have one. */
function tracesOf(events: readonly NewEvent[]): (string | null)[][] {
  return events.some(({ trace }) => trace !== undefined) ? [events.map(({ trace }) => trace ?? null)] : [];
}

function idsFrom(first: string, length: number): string[] {
  const start = BigInt(first);
  return Array.from({ length }, (_, index) => toEventId(start + BigInt(index)));
}
