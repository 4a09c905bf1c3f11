import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** What a job was when it was cancelled; "cancelled" where another call for it has not come to its end. A dead one stays as it is. */
export type RowWas = "waiting" | "scheduled" | "dead" | "cancelled";

const rememberedMs = 3_600_000;

const cancel: Statement = {
  name: "keyline-cancel",
  text: `SELECT cancelled_id AS id, was FROM keyline.cancel_jobs($1, $2::text[], ${rememberedMs})`,
};

const forget: Statement = { name: "keyline-forget-cancelled", text: "SELECT keyline.forget_cancelled($1, $2::text[])" };

const areCancelled: Statement = {
  name: "keyline-are-cancelled",
  text: `SELECT id FROM keyline.outcome WHERE queue = $1 AND id = ANY($2::text[]) AND outcome = 'cancelled' AND until > now()
    AND NOT EXISTS (SELECT FROM keyline.job WHERE job.queue = $1 AND job.id = outcome.id AND job.state IN ('waiting', 'scheduled'))`,
};

const cancelledWithin: Statement = {
  name: "keyline-cancelled-within",
  text: `${areCancelled.text} AND ended_at > now() - $3 * interval '1 millisecond'`,
};

const page: Statement = {
  name: "keyline-cancel-page",
  text: `SELECT id, seq::text AS seq, state = 'scheduled' AND due_at > now() AS is_scheduled FROM keyline.job
    WHERE queue = $1 AND state IN ('waiting', 'scheduled') AND seq > $2::bigint AND seq <= $3::bigint
      AND ($4::text IS NULL OR group_name = $4) AND ($5::float8 IS NULL OR added_at >= to_timestamp($5 / 1000))
      AND ($6::float8 IS NULL OR added_at < to_timestamp($6 / 1000))
    ORDER BY job.seq LIMIT $7`,
};

const newest: Statement = {
  name: "keyline-newest-job",
  text: "SELECT coalesce(max(seq), 0)::text AS seq FROM keyline.job WHERE queue = $1",
};

// Of calls that did not come to their end, and of jobs whose worker did not say so.
const leftOver: Statement = {
  name: "keyline-left-over-cancelled",
  text: `SELECT job.id FROM keyline.job JOIN keyline.outcome ON outcome.queue = job.queue AND outcome.id = job.id AND outcome.outcome = 'cancelled'
    WHERE job.queue = $1 AND job.state = 'cancelled' AND outcome.ended_at < now() - $2 * interval '1 millisecond' LIMIT $3`,
};

/** Which rows a call cancels. */
export interface RowFilter {
  readonly group: string | undefined;
  /** When they were added, in milliseconds since 1970. */
  readonly after: number | undefined;
  readonly before: number | undefined;
}

export interface OpenRow {
  readonly id: string;
  readonly seq: string;
  readonly is_scheduled: boolean;
}

/** The rows of one queue, as calls that cancel jobs change them. */
export class CancelledRows {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Cancels those that have not ended: no settle of them commits from now on. Returns what each was, but for ids that nothing is known of. */
  async cancel(ids: readonly string[]): Promise<Map<string, RowWas>> {
    const rows = await this.#database.query<{ id: string; was: RowWas }>(cancel, [this.#queue, ids]);
    return new Map(rows.map(({ id, was }) => [id, was]));
  }

  /** Nothing of them is on Valkey any more: their ids can be used again. */
  async forget(ids: readonly string[]): Promise<void> {
    await this.#database.query(forget, [this.#queue, ids]);
  }

  /** Those of the jobs that were cancelled lately, and are not there again. */
  async areCancelled(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#database.query<{ id: string }>(areCancelled, [this.#queue, ids]);
    return new Set(rows.map(({ id }) => id));
  }

  /** The same of those that were within so many milliseconds. */
  async cancelledWithin(ids: readonly string[], ms: number): Promise<string[]> {
    return (await this.#database.query<{ id: string }>(cancelledWithin, [this.#queue, ids, ms])).map(({ id }) => id);
  }

  /** A page of those that have not ended and fit, in the order of adding, behind `after` up to `last`. */
  page(
    { group, after, before }: RowFilter,
    range: { readonly after: string; readonly last: string; readonly limit: number },
  ): Promise<OpenRow[]> {
    const values = [range.after, range.last, group ?? null, after ?? null, before ?? null, range.limit];
    return this.#database.query<OpenRow>(page, [this.#queue, ...values]);
  }

  /** The place of the newest, among all jobs. */
  async newest(): Promise<string> {
    return (await this.#database.query<{ seq: string }>(newest, [this.#queue]))[0]?.seq ?? "0";
  }

  /** Removes rows that were cancelled so long ago and are still there, up to `limit`. Returns how many. */
  async forgetLeftOver(ageMs: number, limit: number): Promise<number> {
    const rows = await this.#database.query<{ id: string }>(leftOver, [this.#queue, ageMs, limit]);
    if (rows.length > 0) await this.forget(rows.map(({ id }) => id));
    return rows.length;
  }
}
