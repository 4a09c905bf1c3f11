import type { PoolClient } from "pg";
import { toError } from "../../runtime/errors.ts";
import { commit, rollBack } from "../client/commit.ts";
import type { Database } from "../client/database.ts";
import { lend } from "../client/lent-client.ts";
import type { Transaction } from "../client/options.ts";
import { isForgotten } from "../client/failures.ts";
import { StatementForgotten, type Statement } from "../client/statement.ts";

/** How far a projection is: behind which entry, and how many it has read since it was begun or rebuilt. */
export interface ProjectionPlace {
  readonly position: string;
  readonly entries: number;
}

interface Row {
  readonly position: string;
  /** A 64-bit number, as text. */
  readonly entries: string;
}

const create: Statement = {
  name: "keyline-create-projection",
  text: "INSERT INTO keyline.projection (stream, name) VALUES ($1, $2) ON CONFLICT DO NOTHING",
};
const read: Statement = {
  name: "keyline-read-projection",
  text: "SELECT position, entries FROM keyline.projection WHERE stream = $1 AND name = $2",
};
const lock = "SELECT position, entries FROM keyline.projection WHERE stream = $1 AND name = $2 FOR UPDATE";
const lockUnlessTaken: Statement = { name: "keyline-lock-projection", text: `${lock} SKIP LOCKED` };
const move: Statement = {
  name: "keyline-move-projection",
  text: `UPDATE keyline.projection SET position = $3, entries = $4, updated_at = now() WHERE stream = $1 AND name = $2
    RETURNING pg_current_xact_id()::text AS xid`,
};

/** What is written first travels with BEGIN. */
type Write = (client: PoolClient, begun: Promise<unknown>) => Promise<ProjectionPlace | undefined>;

/** The position of one projection, which moves in the same transaction as its table. */
export class ProjectionTable {
  readonly database: Database;
  readonly #names: readonly [stream: string, name: string];

  constructor(database: Database, { stream, name }: { readonly stream: string; readonly name: string }) {
    this.database = database;
    this.#names = [stream, name];
  }

  async place(): Promise<ProjectionPlace> {
    const [row] = await this.database.query<Row>(read, this.#names);
    if (row) return toPlace(row);
    await this.database.query(create, this.#names);
    return { position: "0-0", entries: 0 };
  }

  /**
   * Runs `work` and moves the position on, in one transaction. Returns false, and does nothing, when the projection is not at `from` any
   * more, or another process has it. After `signal` is aborted it throws its reason, and the connection with what runs on it is ended.
   */
  async advance(from: string, to: ProjectionPlace, work: (tx: Transaction) => Promise<void>, signal: AbortSignal): Promise<boolean> {
    return this.#transact(async (client, begun) => {
      const [, { rows }] = await Promise.all([begun, client.query<Row>(this.database.prepared(lockUnlessTaken, this.#names))]);
      if (rows[0]?.position !== from) return undefined;
      await lend(client, (tx) => Promise.race([work(tx), aborted(signal)]));
      return to;
    }, signal);
  }

  /** Runs `work` and goes back to the beginning, in one transaction, when whoever has the projection is done with a page. */
  async restart(work: (tx: Transaction) => Promise<void>): Promise<void> {
    await this.place();
    await this.#transact(async (client, begun) => {
      await Promise.all([begun, client.query(lock, [...this.#names])]);
      await lend(client, work);
      return { position: "0-0", entries: 0 };
    });
  }

  async #transact(write: Write, signal?: AbortSignal): Promise<boolean> {
    try {
      return await this.#transactOnce(write, signal);
    } catch (error) {
      if (!(error instanceof StatementForgotten)) throw error;
      return this.#transactOnce(write, signal);
    }
  }

  async #transactOnce(write: Write, signal: AbortSignal | undefined): Promise<boolean> {
    const client = await this.database.connect();
    let isClean = false;
    try {
      const writing = write(client, client.query("BEGIN"));
      const place = await (signal ? Promise.race([writing, aborted(signal)]) : writing);
      if (!place) {
        isClean = await rollBack(client);
        return false;
      }
      const { rows } = await client.query<{ xid: string }>(this.database.prepared(move, [...this.#names, place.position, place.entries]));
      isClean = await commit(this.database, client, rows[0]?.xid);
      return true;
    } catch (error) {
      if (isForgotten(error)) throw this.database.explain(error, client);
      isClean = !signal?.aborted && (await rollBack(client));
      throw isClean ? error : this.database.explain(error, client);
    } finally {
      this.database.release(client, isClean);
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(toError(signal.reason)));
  });
}

function toPlace({ position, entries }: Row): ProjectionPlace {
  return { position, entries: Number(entries) };
}
