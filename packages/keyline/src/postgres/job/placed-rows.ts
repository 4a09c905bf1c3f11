import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { Statement } from "../client/statement.ts";
import { longestRestMs } from "./job-row.ts";
import { queryWithin } from "../client/tx-check.ts";

/** A job with a place of its own: it is due later, goes first or last, or comes behind others of its group. */
export interface PlacedJob {
  readonly id: string;
  readonly dataJson: string;
  readonly maxAttempts: number | undefined;
  readonly delayMs?: number | undefined;
  readonly runAt?: number | undefined;
  readonly priority?: "high" | "low" | undefined;
  readonly group?: string | undefined;
  /** For how many milliseconds its result is kept. */
  readonly keepMs?: number | undefined;
  /** Of whoever added it. */
  readonly trace?: string | undefined;
}

/** What PostgreSQL made of it. */
export interface PlacedRow {
  readonly id: string;
  /** Its place among all jobs of all queues, as text: a 64-bit number. */
  readonly order: string;
  readonly xid: string;
}

const columns = "id, data, max_attempts, delay, run_at, priority, group_name, keep_result";

const insertPlaced: Statement = { name: "keyline-insert-placed", text: insertWith("", "") };
/** Where some of them have a trace. */
const insertTraced: Statement = { name: "keyline-insert-traced", text: insertWith(", trace", ", $10::text[]") };

const turns = `id, attempts, seq::text AS order, group_name IS NOT NULL AND EXISTS (
      SELECT FROM keyline.job AS earlier WHERE earlier.queue = job.queue AND earlier.group_name = job.group_name
        AND earlier.seq < job.seq AND earlier.state IN ('waiting', 'scheduled')
    ) AS is_early, is_latest IS NOT NULL AS is_latest, coalesce(parks, 0) AS parks, CASE WHEN parked IS NULL THEN 0 ELSE least(
      ${longestRestMs}, CASE WHEN due_at IS NOT NULL THEN greatest(0, ceil(extract(epoch FROM due_at - clock_timestamp()) * 1000)) END
    ) END::float8 AS rest, parks IS NULL AND is_latest IS NOT TRUE AND state = 'scheduled' AND due_at > clock_timestamp() AS is_put_off`;
const ofOpen = "FROM keyline.job WHERE queue = $1 AND id = ANY($2::text[]) AND state IN ('waiting', 'scheduled')";

const findTurns: Statement = { name: "keyline-find-turns", text: `SELECT ${turns} ${ofOpen}` };

/** Names the lock that transactions share which change jobs of that queue. */
export function changesOf(queue: string): string {
  return `hashtextextended('keyline.change:' || ${queue}, 0)`;
}

// Nobody shares it: it is to be had for as long as the statement takes, or held by such a transaction. Or by another worker that asks, which who holds it tells apart.
const findTurnsOfCopies: Statement = {
  name: "keyline-find-turns-of-copies",
  text: `WITH changing AS MATERIALIZED (
      SELECT CASE WHEN pg_try_advisory_xact_lock(key) THEN false ELSE EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND objsubid = 1
          AND ((classid::bigint << 32) | objid::bigint) = key AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      ) END AS is_changing FROM (SELECT ${changesOf("$1")} AS key OFFSET 0) AS names
    )
    SELECT ${turns}, (SELECT is_changing FROM changing) AS is_changing ${ofOpen}`,
};

/** Whether it is a job's turn. */
export interface Turn {
  readonly id: string;
  readonly attempts: number;
  readonly order: string;
  /** Another job of its group, added before it, is not settled. */
  readonly is_early: boolean;
  /** Its data and its time may have been replaced since an element of it was made. */
  readonly is_latest: boolean;
  /** How often it was parked or woken. */
  readonly parks: number;
  /** Milliseconds for which it waits for the end of a sleep, or for a signal; 0 when it does not. */
  readonly rest: number;
  /** It waits for its time, be it that an attempt has failed or put it off. */
  readonly is_put_off: boolean;
  /** A transaction is changing jobs of the queue, maybe this one; told only of what may be a copy. */
  readonly is_changing?: boolean;
}

/** The rows of those jobs of one queue that have a place of their own. */
export class PlacedRows {
  readonly #database: Database;
  readonly #queue: string;

  constructor(database: Database, queue: string) {
    this.#database = database;
    this.#queue = queue;
  }

  /** Inserts those whose id is not known, to be in this order, and returns them. */
  insert(jobs: readonly PlacedJob[]): Promise<PlacedRow[]> {
    const [statement, values] = this.#insertOf(jobs);
    return this.#database.query<PlacedRow>(statement, values);
  }

  /** The same in the caller's transaction. */
  async insertWithin(tx: TransactionClient, jobs: readonly PlacedJob[]): Promise<PlacedRow[]> {
    const [{ text }, values] = this.#insertOf(jobs);
    return (await queryWithin(tx, text, values)) as PlacedRow[];
  }

  /** Those of the jobs that are not settled. `areCopies` where some may have been delivered more than once, so that another element says what has become of them. */
  findTurns(ids: readonly string[], { areCopies = false }: { readonly areCopies?: boolean } = {}): Promise<Turn[]> {
    return this.#database.query<Turn>(areCopies ? findTurnsOfCopies : findTurns, [this.#queue, ids]);
  }

  #insertOf(jobs: readonly PlacedJob[]): readonly [Statement, unknown[]] {
    const values = valuesOfPlaced(this.#queue, jobs);
    return areTraced(jobs) ? [insertTraced, [...values, tracesOf(jobs)]] : [insertPlaced, values];
  }
}

/** As the statements take them: the queue, then a list for each column. */
export function valuesOfPlaced(queue: string, jobs: readonly PlacedJob[]): unknown[] {
  return [
    queue,
    jobs.map(({ id }) => id),
    jobs.map(({ dataJson }) => dataJson),
    jobs.map(({ maxAttempts }) => maxAttempts ?? null),
    jobs.map(({ delayMs }) => delayMs ?? null),
    jobs.map(({ runAt }) => runAt ?? null),
    jobs.map(({ priority }) => priority ?? null),
    jobs.map(({ group }) => group ?? null),
    jobs.map(({ keepMs }) => keepMs ?? null),
  ];
}

export function areTraced(jobs: readonly PlacedJob[]): boolean {
  return jobs.some(({ trace }) => trace !== undefined);
}

export function tracesOf(jobs: readonly PlacedJob[]): (string | null)[] {
  return jobs.map(({ trace }) => trace ?? null);
}

// Rows come in the order of their ids, so that two calls which name the same ones never wait for each other, and have the order in which they were given.
function insertWith(column: string, list: string): string {
  return `INSERT INTO keyline.job (queue, id, seq, data, max_attempts, due_at, state, priority, group_name, keep_result${column}) OVERRIDING SYSTEM VALUE
    SELECT $1, id, seq, data::json, max_attempts, due_at, CASE WHEN due_at > now() THEN 'scheduled' ELSE 'waiting' END, priority, group_name, keep_result${column}
    FROM (
      SELECT ${columns}${column}, nextval('keyline.job_seq_seq') AS seq,
        coalesce(to_timestamp(run_at / 1000), statement_timestamp() + delay * interval '1 millisecond') AS due_at
      FROM unnest($2::text[], $3::text[], $4::integer[], $5::float8[], $6::float8[], $7::text[], $8::text[], $9::bigint[]${list}) AS new (${columns}${column})
      OFFSET 0
    ) AS placed
    ORDER BY id, seq
    ON CONFLICT (queue, id) DO NOTHING RETURNING id, seq::text AS order, pg_current_xact_id()::text AS xid`;
}
