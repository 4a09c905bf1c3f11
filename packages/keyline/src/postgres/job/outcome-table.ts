import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { Statement } from "../client/statement.ts";

/** A result that is to be kept. */
export interface ResultRow {
  readonly id: string;
  /** As JSON; undefined where there is none. */
  readonly json: string | undefined;
  /** 0 where it is only for its parent. */
  readonly keepMs: number;
  readonly isChild?: boolean;
}

/** What the record has of a job: its row, and what is remembered of it. */
export interface OutcomeRow {
  readonly state: "waiting" | "scheduled" | "dead" | "cancelled" | null;
  readonly keep: number | null;
  readonly reason: string | null;
  readonly attempts: number | null;
  readonly outcome: "completed" | "cancelled" | null;
  readonly value: string | null;
  /** The worker whose handler may still return the result. */
  readonly open_in: string | null;
}

// Each is looked up by its id, by subqueries that the planner does not take apart: what it knows of these tables is out of date.
const find: Statement = {
  name: "keyline-find-outcomes",
  text: `SELECT job.state, job.keep_result::float8 AS keep, job.last_error AS reason, job.attempts,
      outcome.outcome, outcome.value::text AS value, outcome.open_in
    FROM unnest($2::text[]) WITH ORDINALITY AS wanted (of_id, place)
    LEFT JOIN LATERAL (SELECT * FROM keyline.job WHERE queue = $1 AND id = of_id OFFSET 0) AS job ON true
    LEFT JOIN LATERAL (SELECT * FROM keyline.outcome WHERE queue = $1 AND id = of_id AND until > now() OFFSET 0) AS outcome ON true
    ORDER BY place`,
};

const keep = "SELECT keyline.keep_results($1, $2::text[], $3::json[], $4::bigint[], $5)";

const close: Statement = {
  name: "keyline-close-outcome",
  text: `UPDATE keyline.outcome SET value = $3::json, open_in = NULL WHERE queue = $1 AND id = $2 AND outcome = 'completed' AND open_in = $4`,
};

const sweepPage = 500;

// One process at a time, for all queues. The number stands for "keyline outcomes". Whoever removes the row of a cancelled job knows by its outcome that nobody has cancelled it by hand: as long as the row
// is there that is remembered for an hour more, again and again, so that such ones are not in the way of the others.
const sweep: Statement = {
  name: "keyline-sweep-outcomes",
  text: `WITH due AS (
      SELECT ctid, outcome = 'cancelled' AND EXISTS (
        SELECT FROM keyline.job WHERE job.queue = outcome.queue AND job.id = outcome.id AND job.state = 'cancelled' OFFSET 0
      ) AS is_needed
      FROM keyline.outcome WHERE until < now() AND (SELECT pg_try_advisory_xact_lock(7738160520))
      ORDER BY until LIMIT ${sweepPage} FOR UPDATE SKIP LOCKED
    ), kept AS (
      UPDATE keyline.outcome SET until = now() + interval '1 hour' WHERE ctid = ANY (ARRAY(SELECT ctid FROM due WHERE is_needed)) RETURNING id
    ), gone AS (
      DELETE FROM keyline.outcome WHERE ctid = ANY (ARRAY(SELECT ctid FROM due WHERE NOT is_needed)) RETURNING id
    ) SELECT FROM kept UNION ALL SELECT FROM gone`,
};

/** What is remembered of the jobs of one queue that have ended. */
export class OutcomeTable {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** For each id. */
  find(ids: readonly string[]): Promise<OutcomeRow[]> {
    return this.#database.query<OutcomeRow & Record<string, unknown>>(find, [this.#queue, ids]);
  }

  /** Keeps results in the transaction that ends their jobs. `openIn`: the worker whose handlers may still return another one. */
  async keepWithin(tx: TransactionClient, results: readonly ResultRow[], openIn: string | undefined): Promise<void> {
    await tx.query(keep, [this.#queue, ...columnsOf(results), openIn ?? null]);
  }

  /** The handler that settled without a result has returned one. */
  async close(id: string, { json, openIn }: { readonly json: string | undefined; readonly openIn: string }): Promise<void> {
    await this.#database.query(close, [this.#queue, id, json ?? null, openIn]);
  }

  /** Forgets a page of what is over, of all queues. True when there may be more. */
  async sweep(): Promise<boolean> {
    return (await this.#database.query(sweep, [])).length === sweepPage;
  }
}

/** Ids, results and times, as the functions of the schema take them. */
export function columnsOf(results: readonly ResultRow[]): [string[], (string | null)[], number[]] {
  return [results.map(({ id }) => id), results.map(({ json }) => json ?? null), results.map(({ keepMs }) => keepMs)];
}
