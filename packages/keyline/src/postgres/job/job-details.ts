import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** All that a row says of its job. */
export interface JobDetail {
  readonly id: string;
  readonly state: "waiting" | "scheduled" | "dead" | "cancelled";
  readonly data: unknown;
  readonly attempts: number;
  /** When it was added, in milliseconds since 1970. */
  readonly at: number;
  /** When it is due, in milliseconds since 1970, where that is to come. */
  readonly due: number | null;
  readonly group_name: string | null;
  readonly priority: "high" | "low" | null;
  readonly last_error: string | null;
  readonly history: readonly unknown[] | null;
  /** It sleeps, or waits for a signal or its children; or it did, and is due. */
  readonly is_parked: boolean;
  /** It is parked and not due: no worker runs it, though the one that parked it may still hold its element. */
  readonly is_resting: boolean;
}

/** What is read of a row. */
export const details = `id, state, data, attempts, floor(extract(epoch FROM added_at) * 1000)::float8 AS at,
  CASE WHEN due_at > now() THEN ceil(extract(epoch FROM due_at) * 1000)::float8 END AS due, group_name, priority, last_error, history, parked IS NOT NULL AS is_parked,
  parked IS NOT NULL AND (due_at IS NULL OR due_at > now()) AS is_resting`;

const named: Statement = {
  name: "keyline-job-details",
  isQuick: true,
  text: `SELECT job.* FROM unnest($2::text[]) AS wanted (of_id)
    CROSS JOIN LATERAL (SELECT ${details} FROM keyline.job WHERE queue = $1 AND id = of_id OFFSET 0) AS job`,
};

/** What can be read of the rows of one queue's jobs. */
export class JobDetails {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  of(ids: readonly string[]): Promise<JobDetail[]> {
    return this.#database.query<JobDetail>(named, [this.#queue, ids]);
  }
}
