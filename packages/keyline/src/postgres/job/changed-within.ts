import type { TransactionClient } from "../client/options.ts";
import { nameRefused } from "../client/refused-data.ts";
import { queryWithin } from "../client/tx-check.ts";
import { columns, type JobRow } from "./job-row.ts";
import { changesOf } from "./placed-rows.ts";
import type { RowChange } from "./updated-rows.ts";

/** Where a job is, as far as its rows say: "open" where it can be changed. */
export type RowState = "open" | "parked" | "dead" | "completed" | "cancelled" | "unknown";

type ChangedRow = JobRow & { readonly xid: string };

const readState = `SELECT coalesce(
    (SELECT CASE WHEN state IN ('dead', 'cancelled') THEN state WHEN parked IS NOT NULL THEN 'parked' ELSE 'open' END FROM keyline.job WHERE queue = $1 AND id = $2),
    (SELECT outcome FROM keyline.outcome WHERE queue = $1 AND id = $2 AND until > now()), 'unknown') AS state`;

// A debounce locks the key before the job.
const lockKey = "SELECT FROM keyline.deduplication WHERE queue = $1 AND job_id = $2 AND keep = 'latest' FOR UPDATE";

// Whoever takes the job and asks its row leaves it out, until the end of the transaction; and whoever takes what may be another copy of it hears that jobs of the queue are being changed
// (placed-rows.ts). The lock of the queue is shared: transactions do not wait for each other.
const lock = `WITH changing AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(${changesOf("$1")}))
  SELECT job.id FROM keyline.job, changing
  WHERE job.queue = $1 AND job.id = $2 AND job.state IN ('waiting', 'scheduled') AND job.parked IS NULL FOR NO KEY UPDATE OF job`;

const due =
  "coalesce(to_timestamp($5::float8 / 1000), CASE WHEN $4::float8 = 0 THEN now() ELSE clock_timestamp() + $4::float8 * interval '1 millisecond' END)";

// An attempt that has asked the row before is in an earlier period.
const period = "CASE WHEN is_latest THEN coalesce(period, 0) ELSE coalesce(period, 0) + 1 END";

// Of a job that goes elsewhere nothing says any more that it is delivered: where nobody comes to move its element, the relay brings another one.
const write = `UPDATE keyline.job SET data = CASE WHEN $3::text IS NULL THEN data ELSE $3::json END,
    due_at = coalesce(${due}, due_at), state = CASE WHEN ${due} > now() THEN 'scheduled' ELSE state END,
    priority = CASE WHEN $6::text IS NULL THEN priority ELSE nullif($6, 'normal') END, is_latest = true, is_changed = true, period = ${period}, changed_in = ${period},
    attempts = greatest(attempts, $7),
    delivered_to = CASE WHEN $4::float8 IS NULL AND $5::float8 IS NULL AND $6::text IS NULL THEN delivered_to END
  WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled') AND parked IS NULL RETURNING ${columns}, pg_current_xact_id()::text AS xid`;

const followKey = `UPDATE keyline.deduplication AS known SET until = job.due_at FROM keyline.job
  WHERE job.queue = $1 AND job.id = $2 AND job.state = 'scheduled' AND known.queue = $1 AND known.job_id = $2 AND known.keep = 'latest'`;

const promote = `UPDATE keyline.job SET due_at = clock_timestamp(), delivered_to = NULL, attempts = greatest(attempts, $3)
  WHERE queue = $1 AND id = $2 AND state = 'scheduled' AND due_at > clock_timestamp() AND parked IS NULL RETURNING ${columns}, pg_current_xact_id()::text AS xid`;

/** Changes rows of one queue in transactions of callers: by their COMMIT, and by nothing else. */
export class ChangedWithin {
  readonly #queue: string;

  constructor(queue: string) {
    this.#queue = queue;
  }

  async state(tx: TransactionClient, id: string): Promise<RowState> {
    const [row] = (await queryWithin(tx, readState, [this.#queue, id])) as { readonly state: RowState }[];
    return row?.state ?? "unknown";
  }

  /** From now on nobody begins it who asks its row. False where it cannot be changed. */
  async lock(tx: TransactionClient, id: string, { isTimed }: { readonly isTimed: boolean }): Promise<boolean> {
    if (isTimed) await queryWithin(tx, lockKey, [this.#queue, id]);
    return (await queryWithin(tx, lock, [this.#queue, id])).length === 1;
  }

  /** Its row as it will be; `attempts` are those that its element knows of. Throws NOT_STORABLE. */
  async write(
    tx: TransactionClient,
    id: string,
    { dataJson, delayMs, runAt, priority }: RowChange,
    attempts: number,
  ): Promise<ChangedRow | undefined> {
    const values = [this.#queue, id, dataJson ?? null, delayMs ?? null, runAt ?? null, priority ?? null, attempts];
    const rows = await queryWithin(tx, write, values).catch((error: unknown) => {
      throw nameRefused(error, `job ${id} of queue ${this.#queue}`, { data: dataJson });
    });
    if (delayMs !== undefined || runAt !== undefined) await queryWithin(tx, followKey, [this.#queue, id]);
    return (rows as ChangedRow[])[0];
  }

  /** The same of one that is to be due now; undefined where it is not scheduled. */
  async promote(tx: TransactionClient, id: string, attempts: number): Promise<ChangedRow | undefined> {
    return ((await queryWithin(tx, promote, [this.#queue, id, attempts])) as ChangedRow[])[0];
  }
}
