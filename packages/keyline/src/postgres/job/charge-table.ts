import type { PoolClient } from "pg";
import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** Which memory of Valkey counts for a queue, and what was done about it. */
interface Charge {
  /** The epoch in charge; empty where there was none yet. */
  readonly epoch: string;
  /** The last one for which every other delivery was looked at; none where they have changed since. */
  readonly rebuilt_epoch: string;
  /** The last one whose own deliveries were checked. */
  readonly checked_epoch: string;
}

// The first one has nothing to be checked: no worker had a lease before.
const take: Statement = {
  name: "keyline-take-charge",
  text: `INSERT INTO keyline.queue (name, epoch, checked_epoch) VALUES ($1, $2, $2)
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, rebuilt_epoch = '',
      checked_epoch = CASE WHEN queue.epoch = '' THEN excluded.epoch ELSE queue.checked_epoch END WHERE queue.epoch = $3 RETURNING name`,
};

const readQueue: Statement = {
  name: "keyline-read-queue",
  text: `SELECT epoch, rebuilt_epoch, checked_epoch FROM keyline.queue WHERE name = $1`,
};

const noteRebuilt: Statement = {
  name: "keyline-note-rebuilt",
  text: `UPDATE keyline.queue SET rebuilt_epoch = $2 WHERE name = $1 AND epoch = $2`,
};

const lock: Statement = {
  name: "keyline-lock-charge",
  text: `SELECT FROM keyline.queue WHERE name = $1 AND epoch = $2 FOR NO KEY UPDATE`,
};

const noteChecked: Statement = {
  name: "keyline-note-checked",
  text: `UPDATE keyline.queue SET checked_epoch = $2 WHERE name = $1 AND epoch = $2`,
};

/** The row of one transactional queue: the epoch that is in charge. */
export class ChargeTable {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  async read(): Promise<Charge | undefined> {
    return (await this.#database.query<Charge>(readQueue, [this.#queue]))[0];
  }

  /** Puts `epoch` in charge where `from` still is, or none. False where another one is. */
  async take(epoch: string, from: string | undefined): Promise<boolean> {
    return (await this.#database.query(take, [this.#queue, epoch, from ?? null])).length === 1;
  }

  /** By the COMMIT of the transaction that has looked. */
  async noteRebuilt(client: PoolClient, epoch: string): Promise<void> {
    await client.query(this.#database.prepared(noteRebuilt, [this.#queue, epoch]));
  }

  /** Keeps the epoch in charge until the end of that transaction. False where another one is. */
  async lock(client: PoolClient, epoch: string): Promise<boolean> {
    return (await client.query(this.#database.prepared(lock, [this.#queue, epoch]))).rowCount === 1;
  }

  /** By the COMMIT of the transaction that has checked. */
  async noteChecked(client: PoolClient, epoch: string): Promise<void> {
    await client.query(this.#database.prepared(noteChecked, [this.#queue, epoch]));
  }
}
