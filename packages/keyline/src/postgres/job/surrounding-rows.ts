import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** A step as the row says it. Times are milliseconds since 1970. */
export interface StepView {
  readonly name: string;
  readonly kind: "step" | "sleep" | "signal";
  readonly outcome: "done" | "timeout" | null;
  readonly at: number;
  readonly until: number | null;
  readonly value: unknown;
}

/** What belongs to a job's row. */
export interface SurroundingRow {
  readonly steps: readonly StepView[] | null;
  readonly stack: string | null;
  readonly parent_queue: string | null;
  readonly parent_id: string | null;
  readonly on_child_dead: "die" | "ignore" | "value" | null;
  readonly total: number;
  readonly open: number;
  readonly dead: number;
  readonly cancelled: number;
}

/** A child of one of the parents that were asked for. */
export interface ViewedChild {
  /** Which of the parents, from 1 on. */
  readonly place: number;
  readonly number: number;
  readonly queue: string;
  readonly id: string;
  readonly outcome: "completed" | "dead" | "cancelled" | null;
  readonly reason: string | null;
  readonly is_parked: boolean | null;
  readonly is_scheduled: boolean | null;
  readonly is_parent: boolean;
}

interface ParentKey {
  readonly queue: string;
  readonly id: string;
  /** Behind the child with this number. */
  readonly after: number;
}

const ms = (column: string): string => `floor(extract(epoch FROM ${column}) * 1000)::float8`;
const families = "SELECT id, on_child_dead FROM keyline.family WHERE queue = of_queue AND job_id = of_id AND ended IS NULL OFFSET 0";
const parents = `SELECT family.queue, family.job_id, child.family FROM keyline.family_child AS child JOIN keyline.family ON family.id = child.family`;

const around: Statement = {
  name: "keyline-job-surroundings",
  isQuick: true,
  text: `SELECT steps, stack, parent.queue AS parent_queue, parent.job_id AS parent_id, family.on_child_dead,
      children.total, children.open, children.dead, children.cancelled
    FROM (VALUES ($1::text, $2::text)) AS wanted (of_queue, of_id)
    LEFT JOIN LATERAL (SELECT last_stack AS stack, is_child FROM keyline.job WHERE queue = of_queue AND id = of_id OFFSET 0) AS job ON true
    LEFT JOIN LATERAL (
      SELECT json_agg(one) AS steps FROM (
        SELECT name, kind, outcome, ${ms("at")} AS at, ${ms("until")} AS until, CASE WHEN octet_length(value::text) <= 65536 THEN value END AS value
        FROM keyline.step WHERE queue = of_queue AND job_id = of_id ORDER BY step.at, step.name LIMIT 256
      ) AS one
    ) AS remembered ON true
    LEFT JOIN LATERAL (${parents} WHERE child.queue = of_queue AND child.id = of_id ORDER BY child.family DESC LIMIT 1) AS parent ON job.is_child
    LEFT JOIN LATERAL (${families}) AS family ON true
    CROSS JOIN LATERAL (
      SELECT count(*)::float8 AS total, count(*) FILTER (WHERE outcome IS NULL)::float8 AS open, count(*) FILTER (WHERE outcome = 'dead')::float8 AS dead,
        count(*) FILTER (WHERE outcome = 'cancelled')::float8 AS cancelled
      FROM keyline.family_child WHERE family_child.family = family.id
    ) AS children`,
};

// Of one whose id was used again, the latest.
const above: Statement = {
  name: "keyline-family-above",
  isQuick: true,
  text: `WITH RECURSIVE above AS (
      SELECT parent.queue, parent.job_id, 1 AS height FROM (${parents} WHERE child.queue = $1 AND child.id = $2 ORDER BY child.family DESC LIMIT 1) AS parent
      UNION ALL
      SELECT parent.queue, parent.job_id, above.height + 1 FROM above
        CROSS JOIN LATERAL (${parents} WHERE child.queue = above.queue AND child.id = above.job_id ORDER BY child.family DESC LIMIT 1) AS parent
        WHERE above.height < 100
    ) SELECT queue, job_id AS id FROM above ORDER BY height DESC`,
};

const below: Statement = {
  name: "keyline-family-below",
  isQuick: true,
  text: `SELECT place::integer, child.number, child.queue, child.id, child.outcome, coalesce(child.reason, job.last_error) AS reason, job.is_parked, job.is_scheduled,
      child.outcome IS NULL AND EXISTS (SELECT FROM keyline.family WHERE family.queue = child.queue AND family.job_id = child.id AND family.ended IS NULL) AS is_parent
    FROM unnest($1::text[], $2::text[], $3::integer[]) WITH ORDINALITY AS parent (of_queue, of_id, behind, place)
    CROSS JOIN LATERAL (${families}) AS family
    CROSS JOIN LATERAL (
      SELECT number, queue, id, outcome, reason FROM keyline.family_child AS one WHERE one.family = family.id AND one.number > behind ORDER BY one.number LIMIT $4
    ) AS child
    LEFT JOIN LATERAL (
      SELECT parked IS NOT NULL AS is_parked, state = 'scheduled' AND due_at > now() AS is_scheduled, CASE WHEN child.outcome = 'dead' THEN last_error END AS last_error FROM keyline.job
      WHERE (child.outcome IS NULL OR child.outcome = 'dead') AND queue = child.queue AND id = child.id OFFSET 0
    ) AS job ON true
    ORDER BY place, child.number`,
};

/** What is around jobs of transactional queues: what they remember, who is above them and below them. */
export class SurroundingRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async around(queue: string, id: string): Promise<SurroundingRow | undefined> {
    return (await this.#database.query<SurroundingRow & Record<string, unknown>>(around, [queue, id]))[0];
  }

  /** The parent, its parent and so on, the highest first. */
  above(queue: string, id: string): Promise<{ readonly queue: string; readonly id: string }[]> {
    return this.#database.query(above, [queue, id]);
  }

  /** Up to `limit` children of each of the parents, in their order. */
  below(keys: readonly ParentKey[], limit: number): Promise<ViewedChild[]> {
    const values = [keys.map(({ queue }) => queue), keys.map(({ id }) => id), keys.map(({ after }) => after), limit];
    return this.#database.query<ViewedChild & Record<string, unknown>>(below, values);
  }
}
