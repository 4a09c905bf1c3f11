import type { Database } from "../client/database.ts";
import { withStorableText } from "../client/refused-data.ts";
import type { Statement } from "../client/statement.ts";

/** How an attempt failed: attempts counted before it, and with it. */
export interface Failure {
  readonly heldAttempts: number;
  readonly attempts: number;
  /** How often the job was parked or woken, as its element has it. */
  readonly heldParks: number;
  /** In which period the attempt has asked the row for its data; undefined where it had the data of its element. */
  readonly period?: number | undefined;
  readonly error: string;
  /** The attempt as an entry of the history; undefined where there is none to be noted. */
  readonly failed: string | undefined;
  /** Entries of attempts whose workers are gone, as the element has them, oldest first. */
  readonly gone: readonly string[];
}

/** What the row of a job says that is not a worker's to end: somebody is to run it yet, or it is dead, of so many attempts; "ended" where there is none any more. */
export type Elsewhere = "open" | "ended" | { readonly attempts: number; readonly reason: string };

interface Texts {
  readonly error: string;
  readonly gone: readonly string[];
  readonly failed: string | null;
  readonly stack: string | null;
}

// What the row was not told of workers that are gone is what its count lacks.
const newHistory = (held: string, gone: string, failed: string): string =>
  `keyline.with_failure(history, ${gone}, ${held} - attempts, ${failed})`;

// An attempt that was overtaken by a later one changes nothing, and neither does one that had data from before the job was updated last. The tag knows its own change again when the answer to it got lost.
const retry: Statement = {
  name: "keyline-retry",
  text: `UPDATE keyline.job SET state = 'scheduled', attempts = $3, due_at = now() + $4 * interval '1 millisecond', last_error = $5,
      delivered_to = NULL, retry_tag = $7, parked = NULL, parked_for = NULL,
      history = CASE WHEN attempts = $3 AND retry_tag = $7 THEN history ELSE ${newHistory("$6", "$8::json[]", "$9::json")} END
    WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled') AND (attempts <= $6 OR (attempts = $3 AND retry_tag = $7))
      AND coalesce(parks, 0) <= $10 AND (is_changed IS NULL OR coalesce(changed_in, 0) <= $11) RETURNING id`,
};

const bury: Statement = {
  name: "keyline-bury",
  text: `WITH buried AS (
      UPDATE keyline.job SET state = 'dead', attempts = $3, due_at = NULL, last_error = $4, died_at = now(), last_stack = $8, retry_tag = $10, parked = NULL, parked_for = NULL,
        history = ${newHistory("$5", "$6::json[]", "$7::json")}
      WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled') AND attempts <= $5 AND coalesce(parks, 0) <= $9
        AND (is_changed IS NULL OR coalesce(changed_in, 0) <= $11)
      RETURNING id, is_special
    ) SELECT id, CASE WHEN is_special THEN keyline.end_special($1, ARRAY[id], 'dead') END FROM buried`,
};

// The answer to the same call may have been lost. The count does not tell it from another's: who has the job of a worker that died buries it for as many attempts.
const wasBuried: Statement = {
  name: "keyline-was-buried",
  isQuick: true,
  text: `SELECT FROM keyline.job WHERE queue = $1 AND id = $2 AND state = 'dead' AND retry_tag = $3`,
};

const whatElse: Statement = {
  name: "keyline-what-else",
  isQuick: true,
  text: `SELECT id, state = 'dead' AS is_dead, attempts, coalesce(last_error, '') AS reason FROM keyline.job WHERE queue = $1 AND id = ANY($2::text[])`,
};

// An element that was made before the job was parked, or put off, is no attempt any more, and goes when it is taken. The element with the raised count is in the memory that
// `$4` names. Where that is not in charge any more a rebuild may deliver the job with the count from before, and that copy settles nothing: then the row is the relay's. The shared lock makes a change of the epoch wait, so that the rebuild sees the count.
// After it rows are locked, in the order of their ids, as wherever several are.
const raiseAttempts: Statement = {
  name: "keyline-raise-attempts",
  text: `WITH charge AS (SELECT true AS is_in_charge FROM keyline.queue WHERE name = $1 AND epoch = $4 FOR SHARE),
    held AS MATERIALIZED (
      SELECT id FROM (SELECT count(*) FROM charge) AS charged CROSS JOIN keyline.job
      WHERE queue = $1 AND id = ANY($2::text[]) AND (state = 'waiting' OR (state = 'scheduled' AND coalesce(due_at <= now(), true))) ORDER BY id FOR NO KEY UPDATE OF job
    )
    UPDATE keyline.job SET attempts = raised.attempts,
      history = keyline.with_failure(history, array_fill($5::json, ARRAY[least(20, raised.attempts - job.attempts)]), 20, NULL),
      delivered_to = CASE WHEN charge.is_in_charge THEN job.delivered_to END
    FROM held JOIN unnest($2::text[], $3::integer[], $6::integer[]) AS raised (id, attempts, parks) ON raised.id = held.id LEFT JOIN charge ON true
    WHERE job.queue = $1 AND job.id = held.id AND job.attempts < raised.attempts AND coalesce(job.parks, 0) <= raised.parks
      AND (job.state = 'waiting' OR (job.state = 'scheduled' AND coalesce(job.due_at <= now(), true)))`,
};

/** The rows of one queue, as attempts that have failed change them. */
export class FailedRows {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** False when the row is gone, ended, or has had a later attempt than the one that failed. The same call with the same `tag` may be made again. */
  async retry(id: string, failure: Failure & { readonly delayMs: number; readonly tag: string }): Promise<boolean> {
    const { attempts, delayMs, heldAttempts, heldParks, period, tag } = failure;
    return this.#write(failure, undefined, ({ error, gone, failed }) =>
      this.#database.query(retry, [this.#queue, id, attempts, delayMs, error, heldAttempts, tag, gone, failed, heldParks, period ?? null]),
    );
  }

  /** The same, for good. */
  async bury(id: string, failure: Failure & { readonly stack: string | undefined; readonly tag: string }): Promise<boolean> {
    const { attempts, heldAttempts, heldParks, period, tag } = failure;
    const isBuried = await this.#write(failure, failure.stack, ({ error, gone, failed, stack }) =>
      this.#database.query(bury, [this.#queue, id, attempts, error, heldAttempts, gone, failed, stack, heldParks, tag, period ?? null]),
    );
    return isBuried || (await this.#database.query(wasBuried, [this.#queue, id, tag])).length > 0;
  }

  /** What has become of jobs that are not this worker's to end. */
  async elsewhere(ids: readonly string[]): Promise<(id: string) => Elsewhere> {
    type Row = { readonly id: string; readonly is_dead: boolean; readonly attempts: number; readonly reason: string };
    const rows = await this.#database.query<Row>(whatElse, [this.#queue, ids]);
    const known = new Map<string, Elsewhere>(rows.map(({ id, is_dead: isDead, ...dead }) => [id, isDead ? dead : "open"]));
    return (id) => known.get(id) ?? "ended";
  }

  // All texts of a failure are for people to read.
  async #write({ error, gone, failed }: Failure, stack: string | undefined, send: (texts: Texts) => Promise<object[]>): Promise<boolean> {
    const texts: Texts = { error, gone, failed: failed ?? null, stack: stack ?? null };
    const rows = await withStorableText(JSON.stringify(texts), (text) => send(JSON.parse(text) as Texts));
    return rows.length === 1;
  }

  /** `gone` is the entry of the history for each attempt that is new. `epoch` names the memory in which the elements have these counts, or an older one. */
  async raiseAttempts(
    jobs: readonly { readonly id: string; readonly attempts: number; readonly parks: number }[],
    { epoch, gone }: { readonly epoch: string; readonly gone: string },
  ): Promise<void> {
    const values = [this.#queue, jobs.map((job) => job.id), jobs.map((job) => job.attempts), epoch, gone, jobs.map((job) => job.parks)];
    await this.#database.query(raiseAttempts, values);
  }
}
