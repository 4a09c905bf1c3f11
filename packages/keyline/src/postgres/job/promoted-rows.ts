import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";
import { columns, type JobRow } from "./job-row.ts";

// A job that sleeps or waits for a signal goes on when that is over, and not before.
const promote: Statement = {
  name: "keyline-promote",
  text: `UPDATE keyline.job SET due_at = now()
    WHERE queue = $1 AND id = $2 AND state = 'scheduled' AND due_at > now() AND parked IS NULL RETURNING ${columns}`,
};

/** Makes a job of one queue due now. */
export class PromotedRows {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Its row; undefined where it is not scheduled. */
  async promote(id: string): Promise<JobRow | undefined> {
    return (await this.#database.query<JobRow>(promote, [this.#queue, id]))[0];
  }
}
