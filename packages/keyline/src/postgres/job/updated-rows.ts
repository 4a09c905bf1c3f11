import type { Database } from "../client/database.ts";
import { isOutage } from "../client/failures.ts";
import { nameRefused } from "../client/refused-data.ts";
import type { Statement } from "../client/statement.ts";
import { columns, type JobRow } from "./job-row.ts";

/** What is to be other than it was; undefined stays. */
export interface RowChange {
  readonly dataJson: string | undefined;
  readonly delayMs: number | undefined;
  readonly runAt: number | undefined;
  readonly priority: "high" | "normal" | "low" | undefined;
}

// From then on whoever takes the job asks its row before it begins, and says there that it has begun, which ends the period.
const hold: Statement = {
  name: "keyline-hold-latest",
  text: `UPDATE keyline.job SET is_latest = true, period = CASE WHEN is_latest THEN period ELSE coalesce(period, 0) + 1 END
    WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled') AND parked IS NULL RETURNING coalesce(period, 0) AS period`,
};

const due = "coalesce(to_timestamp($5::float8 / 1000), now() + $4::float8 * interval '1 millisecond')";

// From then on no attempt ends it that has not asked its row after it. The tag knows its own change again when the answer to it got lost.
const write: Statement = {
  name: "keyline-update",
  text: `UPDATE keyline.job SET data = CASE WHEN $3::text IS NULL THEN data ELSE $3::json END,
      due_at = coalesce(${due}, due_at), state = CASE WHEN ${due} > now() THEN 'scheduled' ELSE state END,
      priority = CASE WHEN $6::text IS NULL THEN priority ELSE nullif($6, 'normal') END, is_changed = true, changed_in = $9, retry_tag = $7, attempts = greatest(attempts, $8)
    WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled') AND parked IS NULL AND is_latest AND coalesce(period, 0) = $9 RETURNING ${columns}`,
};

const readOpen = `SELECT ${columns} FROM keyline.job WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled')`;
const read: Statement = { name: "keyline-read-updated", text: readOpen };
const readTagged: Statement = { name: "keyline-read-tagged", text: `${readOpen} AND retry_tag = $3` };

// A key of a debounce is held until its job is due.
const followKey: Statement = {
  name: "keyline-follow-key",
  text: `UPDATE keyline.deduplication AS known SET until = job.due_at FROM keyline.job
    WHERE job.queue = $1 AND job.id = $2 AND job.state = 'scheduled' AND known.queue = $1 AND known.job_id = $2 AND known.keep = 'latest'`,
};

/** Changes what the rows of one queue say of jobs that have not begun. */
export class UpdatedRows {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Has whoever takes the job ask its row from now on. Returns the period in which it may be written; undefined when it has ended, or is parked. */
  async hold(id: string): Promise<number | undefined> {
    return (await this.#database.query<{ period: number }>(hold, [this.#queue, id]))[0]?.period;
  }

  /**
   * Its row as it is then; undefined when it has begun since `period`, in which it was held, or has ended. `attempts` are those that its element knows of: a worker that was before those, and has lost its lease,
   * ends nothing any more, also where nobody has told the row of them yet. With `isAgain` an answer to the same call got lost. Throws NOT_STORABLE.
   */
  async write(
    id: string,
    change: RowChange,
    how: { readonly period: number; readonly attempts: number; readonly tag: string; readonly isAgain: boolean },
  ): Promise<JobRow | undefined> {
    const { dataJson, delayMs, runAt, priority } = change;
    const { period, attempts, tag, isAgain } = how;
    if (isAgain) {
      const [known] = await this.#database.query<JobRow>(readTagged, [this.#queue, id, tag]);
      if (known) return known;
    }
    const values = [this.#queue, id, dataJson ?? null, delayMs ?? null, runAt ?? null, priority ?? null, tag, attempts, period];
    const rows = await this.#database.query<JobRow>(write, values).catch((error: unknown) => {
      throw isOutage(error) ? error : nameRefused(error, `job ${id} of queue ${this.#queue}`, { data: dataJson });
    });
    return rows[0];
  }

  async read(id: string): Promise<JobRow | undefined> {
    return (await this.#database.query<JobRow>(read, [this.#queue, id]))[0];
  }

  /** Its due time is another one. */
  async followKey(id: string): Promise<void> {
    await this.#database.query(followKey, [this.#queue, id]);
  }
}
