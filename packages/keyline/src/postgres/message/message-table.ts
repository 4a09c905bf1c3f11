import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { Statement } from "../client/statement.ts";
import { queryWithin } from "../client/tx-check.ts";

export interface NewMessage {
  readonly channel: string;
  readonly id: string;
  readonly dataJson: string;
  /** What the channel's history keeps; undefined without one. */
  readonly history: { readonly size: number; readonly ttlMs: number } | undefined;
  /** Of whoever publishes it. */
  readonly trace?: string | undefined;
}

/** A committed message that is to be published. */
export interface MessageRow {
  readonly seq: string;
  /** The outbox that its number is of. */
  readonly outbox: string;
  readonly number: string;
  readonly channel: string;
  readonly id: string;
  readonly data: string;
  /** When it was written, in milliseconds since 1970. */
  readonly at: number;
  readonly history_size: number | null;
  readonly history_ttl: string | null;
  readonly trace: string | null;
}

const insert = `INSERT INTO keyline.message (channel, id, data, history_size, history_ttl) VALUES ($1, $2, $3, $4, $5)
  RETURNING pg_current_xact_id()::text AS xid`;

const insertTraced = `INSERT INTO keyline.message (channel, id, data, history_size, history_ttl, trace) VALUES ($1, $2, $3, $4, $5, $6)
  RETURNING pg_current_xact_id()::text AS xid`;

const take: Statement = {
  name: "keyline-take-messages",
  text: "SELECT * FROM keyline.take_messages($1, $2 * interval '1 millisecond', $3)",
};

const remove: Statement = { name: "keyline-remove-messages", text: "DELETE FROM keyline.message WHERE seq = ANY($1::bigint[])" };

/** The outbox: messages between their transaction and their publication. */
export class MessageTable {
  readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Writes a message within the caller's transaction, and returns that one's id. */
  async insertWithin(tx: TransactionClient, { channel, id, dataJson, history, trace }: NewMessage): Promise<string> {
    const values = [channel, id, dataJson, history?.size ?? null, history?.ttlMs ?? null];
    const rows = await (trace === undefined ? queryWithin(tx, insert, values) : queryWithin(tx, insertTraced, [...values, trace]));
    return (rows as { xid: string }[])[0]?.xid ?? "";
  }

  /** What is to be published now, in order, of all channels but some; also what others took more than `patienceMs` ago. */
  take(atMost: number, { patienceMs, but }: { readonly patienceMs: number; readonly but: readonly string[] }): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(take, [atMost, patienceMs, but]);
  }

  async remove(rows: readonly MessageRow[]): Promise<void> {
    await this.database.query(remove, [rows.map((row) => row.seq)]);
  }
}
