import { performance } from "../../runtime/clock.ts";
import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { Statement } from "../client/statement.ts";
import { queryWithin } from "../client/tx-check.ts";
import { areTraced, tracesOf, valuesOfPlaced, type PlacedJob } from "./placed-rows.ts";

/** A job of which only one with its key is to be there; without `once`, one that is added beside such. */
export interface OnceJob extends PlacedJob {
  readonly isOwnId: boolean;
  readonly once?: { readonly key: string; readonly windowMs: number | undefined; readonly keep: "first" | "latest" } | undefined;
}

/** What became of one of them. */
export interface OnceRow {
  /** The job that is there: this one when it was added. */
  readonly there: string;
  readonly added: boolean;
  /** Its place among all jobs of all queues, as text: a 64-bit number. */
  readonly order: string;
  /** Of a job that is there and is due earlier than it was: what its element has to say, as that on Valkey comes too late. */
  readonly sooner: {
    readonly at: number;
    readonly maxAttempts: number | null;
    readonly priority: "high" | "low" | null;
    readonly keep: number | null;
  } | null;
  /** Null where nothing was written. */
  readonly xid: string | null;
}

/** What the record has of a job whose data and time could be replaced until now. */
export interface BegunRow {
  readonly id: string;
  readonly data: string;
  /** Milliseconds until it is due; 0 when it has begun. */
  readonly wait: number;
  /** That which ends with it. */
  readonly period: number;
}

const add: Statement = { name: "keyline-add-once", text: addWith("") };
/** Where some of them have a trace. */
const addTraced: Statement = { name: "keyline-add-once-traced", text: addWith(", $14::text[]") };

// From then on it is false: nothing is replaced any more, and its data is that of the row also in its next attempts, whatever an element of it says.
// `free` says whether it could be replaced, and not the row as it was when the statement began: a change in between would be missed.
// What somebody is at is left out, instead of waiting for it: whoever replaces data may hold a transaction open for long.
const begin: Statement = {
  name: "keyline-begin-latest",
  text: `WITH free AS MATERIALIZED (
      SELECT id, data::text AS data, CASE WHEN is_latest THEN greatest(0, ceil(extract(epoch FROM due_at - clock_timestamp()) * 1000)) ELSE 0 END AS wait,
        coalesce(period, 0) AS period, is_latest
      FROM keyline.job WHERE queue = $1 AND id = ANY($2::text[]) AND state IN ('waiting', 'scheduled') FOR UPDATE SKIP LOCKED
    ), begun AS (
      UPDATE keyline.job SET is_latest = false FROM free WHERE job.queue = $1 AND job.id = free.id AND free.is_latest AND free.wait = 0
    )
    SELECT id, data, wait::float8 AS wait, period FROM free`,
};

const disownChanged: Statement = {
  name: "keyline-disown-changed",
  text: `UPDATE keyline.job SET delivered_to = NULL WHERE queue = $1 AND id = $2 AND is_changed AND attempts <= $3 AND coalesce(parks, 0) <= $4
      AND ($5::integer IS NULL OR changed_in > $5) AND state IN ('waiting', 'scheduled') RETURNING id`,
};

const sweepPage = 500;
const sweepEveryMs = 1_000;

const sweep: Statement = {
  name: "keyline-sweep-deduplication",
  text: `DELETE FROM keyline.deduplication WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM keyline.deduplication WHERE queue = $1 AND until < now() ORDER BY until LIMIT ${sweepPage} FOR UPDATE SKIP LOCKED
    )) RETURNING key`,
};

/** The rows of one queue's jobs that are deduplicated, and the keys that they hold for a time. */
export class OnceRows {
  readonly #database: Database;
  readonly #queue: string;
  #nextSweep = 0;
  #sweeping: Promise<void> | undefined;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Adds those that nobody stands in the way of, in this order. Returns what became of each. */
  add(jobs: readonly OnceJob[]): Promise<OnceRow[]> {
    const [statement, values] = this.#addOf(jobs);
    return this.#database.query<OnceRow>(statement, values);
  }

  /** The same in the caller's transaction. */
  async addWithin(tx: TransactionClient, jobs: readonly OnceJob[]): Promise<OnceRow[]> {
    const [{ text }, values] = this.#addOf(jobs);
    return (await queryWithin(tx, text, values)) as OnceRow[];
  }

  /**
   * Begins those of the jobs that are due: nothing replaces their data any more. Returns what the record has of them; those are missing that are settled, or
   * that somebody is at.
   */
  beginLatest(ids: readonly string[]): Promise<BegunRow[]> {
    return this.#database.query<BegunRow>(begin, [this.#queue, ids]);
  }

  /**
   * An attempt of the job had data from before it was updated, and its element goes: nothing says any more that another one is there, so the relay looks after it. False where the row says
   * otherwise of it.
   */
  async disownChanged({
    id,
    attempts,
    parks,
    period,
  }: {
    readonly id: string;
    readonly attempts: number;
    readonly parks: number;
    readonly period?: number | undefined;
  }): Promise<boolean> {
    return (await this.#database.query(disownChanged, [this.#queue, id, attempts, parks, period ?? null])).length === 1;
  }

  /** Removes keys whose time is over, now and then; what that needs is no one's to wait for. */
  sweepSoon(): void {
    if (this.#sweeping || performance.now() < this.#nextSweep) return;
    this.#nextSweep = performance.now() + sweepEveryMs;
    // Where it fails the next one removes them.
    this.#sweeping = this.#sweep()
      .catch(() => undefined)
      .finally(() => (this.#sweeping = undefined));
  }

  async swept(): Promise<void> {
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    while ((await this.#database.query(sweep, [this.#queue])).length === sweepPage);
  }

  #addOf(jobs: readonly OnceJob[]): readonly [Statement, unknown[]] {
    const values = this.#valuesOf(jobs);
    return areTraced(jobs) ? [addTraced, [...values, tracesOf(jobs)]] : [add, values];
  }

  #valuesOf(jobs: readonly OnceJob[]): unknown[] {
    return [
      ...valuesOfPlaced(this.#queue, jobs),
      jobs.map(({ isOwnId }) => isOwnId),
      jobs.map(({ once }) => once?.key ?? null),
      jobs.map(({ once }) => once?.windowMs ?? null),
      jobs.map(({ once }) => (once?.windowMs === undefined ? null : once.keep)),
    ];
  }
}

function addWith(list: string): string {
  return `SELECT there, added, in_order AS order, sooner, pg_current_xact_id_if_assigned()::text AS xid FROM keyline.add_once(
      $1, $2::text[], $3::text[], $4::integer[], $5::float8[], $6::float8[], $7::text[], $8::text[], $10::boolean[], $11::text[], $12::float8[], $13::text[],
      $9::bigint[]${list}
    ) ORDER BY place`;
}
