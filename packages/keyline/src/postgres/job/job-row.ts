/** How long the element of a job that waits for a signal rests at the most: one that was left behind by a faster delivery goes after that. */
export const longestRestMs = 86_400_000;

/** A row that is to be delivered. */
export interface JobRow {
  readonly id: string;
  readonly data: string;
  readonly attempts: number;
  readonly max_attempts: number | null;
  /** When it was added, in milliseconds since 1970. */
  readonly at: number;
  /** Milliseconds until it is due; 0 when it is. */
  readonly delay: number;
  /** Since when it is due, in milliseconds since 1970, or when it will be. */
  readonly due?: number | null;
  readonly priority: "high" | "low" | null;
  readonly group_name: string | null;
  /** Its place among all jobs of all queues, as text: a 64-bit number. */
  readonly order: string;
  /** A later add may still replace its data and its time. */
  readonly is_latest: boolean | null;
  /** It was updated since it was added. */
  readonly is_changed?: boolean | null;
  /** Which tick it is, as JSON. */
  readonly schedule: string | null;
  /** For how many milliseconds its result is kept. */
  readonly keep: number | null;
  /** How often it was parked or woken. */
  readonly parks: number | null;
  readonly is_child: boolean | null;
  readonly trace: string | null;
}

const delay = "greatest(0, ceil(extract(epoch FROM due_at - now()) * 1000))";

/** The columns of such a row. */
export const columns = `id, data::text AS data, attempts, max_attempts, floor(extract(epoch FROM added_at) * 1000)::float8 AS at,
  CASE WHEN parked IN ('signal', 'children') AND due_at IS NULL THEN ${longestRestMs} WHEN parked = 'signal' THEN least(${delay}, ${longestRestMs}) ELSE ${delay} END::float8 AS delay, floor(extract(epoch FROM due_at) * 1000)::float8 AS due, priority, group_name, seq::text AS order,
  schedule::text AS schedule, is_latest, is_changed, keep_result::float8 AS keep, parks, is_child, trace`;
