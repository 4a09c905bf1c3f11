import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import { withStorableText } from "../client/refused-data.ts";
import type { Statement } from "../client/statement.ts";
import { PlacedRows } from "./placed-rows.ts";
import { queryWithin } from "../client/tx-check.ts";

/** Stands between the parts of a list in one text; no id that was added here has it. */
export const separator = "\x1f";

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
  readonly priority: "high" | "low" | null;
  readonly group_name: string | null;
  /** Its place among all jobs of all queues, as text: a 64-bit number. */
  readonly order: string;
  /** Which tick it is, as JSON. */
  readonly schedule: string | null;
}

export interface NewJob {
  readonly id: string;
  readonly dataJson: string;
  readonly maxAttempts: number | undefined;
}

/** How an attempt failed: attempts counted before it, and with it. */
export interface Failure {
  readonly heldAttempts: number;
  readonly attempts: number;
  readonly error: string;
}

export interface DeadRow {
  readonly id: string;
  readonly data: unknown;
  readonly attempts: number;
  readonly last_error: string | null;
}

const insert: Statement = {
  name: "keyline-insert",
  text: `INSERT INTO keyline.job (queue, id, data, max_attempts)
    SELECT $1, id, data::json, max_attempts FROM unnest($2::text[], $3::text[], $4::integer[]) AS new (id, data, max_attempts)`,
};

const insertUnlessKnown: Statement = {
  name: "keyline-insert-unless-known",
  text: `${insert.text} ON CONFLICT (queue, id) DO NOTHING RETURNING id`,
};

const insertInTransaction = `${insert.text} ON CONFLICT (queue, id) DO NOTHING RETURNING id, pg_current_xact_id()::text AS xid`;

export const settle: Statement = { name: "keyline-settle", text: "SELECT settled, missing, xid FROM keyline.settle_jobs($1, $2, $3)" };

export const settleOne: Statement = { name: "keyline-settle-one", text: "SELECT keyline.settle_job($1, $2, $3) AS xid" };

// An attempt that was overtaken by a later one changes nothing. The tag knows its own change again when the answer to it got lost.
const retry: Statement = {
  name: "keyline-retry",
  text: `UPDATE keyline.job SET state = 'scheduled', attempts = $3, due_at = now() + $4 * interval '1 millisecond', last_error = $5,
      delivered_to = NULL, retry_tag = $7
    WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled') AND (attempts <= $6 OR (attempts = $3 AND retry_tag = $7)) RETURNING id`,
};

const bury: Statement = {
  name: "keyline-bury",
  text: `UPDATE keyline.job SET state = 'dead', attempts = $3, due_at = NULL, last_error = $4
    WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled') AND attempts <= $5 RETURNING id`,
};

// The element with the raised count is in the memory that `$4` names. Where that is not in charge any more a rebuild may deliver the job with the count from
// before, and that copy settles nothing: then the row is the relay's. The shared lock makes a change of the epoch wait, so that the rebuild sees the count.
const raiseAttempts: Statement = {
  name: "keyline-raise-attempts",
  text: `WITH charge AS (SELECT true AS is_in_charge FROM keyline.queue WHERE name = $1 AND epoch = $4 FOR SHARE)
    UPDATE keyline.job SET attempts = raised.attempts, delivered_to = CASE WHEN charge.is_in_charge THEN job.delivered_to END
    FROM unnest($2::text[], $3::integer[]) AS raised (id, attempts) LEFT JOIN charge ON true
    WHERE job.queue = $1 AND job.id = raised.id AND job.attempts < raised.attempts AND job.state IN ('waiting', 'scheduled')`,
};

const findOpen: Statement = {
  name: "keyline-find-open",
  text: `SELECT id, attempts FROM keyline.job WHERE queue = $1 AND id = ANY($2::text[]) AND state IN ('waiting', 'scheduled')`,
};

const columns = `id, data::text AS data, attempts, max_attempts, floor(extract(epoch FROM added_at) * 1000)::float8 AS at,
  greatest(0, ceil(extract(epoch FROM due_at - now()) * 1000))::float8 AS delay, priority, group_name, seq::text AS order,
  schedule::text AS schedule`;

const redrive: Statement = {
  name: "keyline-redrive",
  text: `UPDATE keyline.job SET state = 'waiting', attempts = 0, delivered_to = NULL
    WHERE queue = $1 AND id IN (SELECT id FROM keyline.job WHERE queue = $1 AND state = 'dead' ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING ${columns}`,
};

const listDead: Statement = {
  name: "keyline-list-dead",
  text: `SELECT id, data, attempts, last_error FROM keyline.job WHERE queue = $1 AND state = 'dead' ORDER BY seq DESC LIMIT $2`,
};

const countDead: Statement = {
  name: "keyline-count-dead",
  text: `SELECT count(*)::integer AS dead FROM keyline.job WHERE queue = $1 AND state = 'dead'`,
};

const mark: Statement = { name: "keyline-mark", text: "SELECT keyline.mark_delivered($1, $2, $3, $4) AS is_in_charge" };

const peekUndelivered: Statement = {
  name: "keyline-peek-undelivered",
  text: `SELECT name AS queue, id FROM unnest($1::text[]) AS names (name) CROSS JOIN LATERAL (
      SELECT id FROM keyline.job WHERE queue = name AND delivered_to IS NULL AND state IN ('waiting', 'scheduled') ORDER BY seq LIMIT $2
    ) AS jobs`,
};

export const claimUndelivered: Statement = {
  name: "keyline-claim-undelivered",
  text: `SELECT ${columns} FROM keyline.job
    WHERE queue = $1 AND id = ANY($2::text[]) AND delivered_to IS NULL AND state IN ('waiting', 'scheduled')
    ORDER BY seq FOR UPDATE SKIP LOCKED`,
};

export const declareDeliveredElsewhere = `DECLARE delivered_elsewhere NO SCROLL CURSOR FOR SELECT ${columns} FROM keyline.job
  WHERE queue = $1 AND delivered_to <> $2 AND state IN ('waiting', 'scheduled') ORDER BY seq`;

const takeCharge: Statement = {
  name: "keyline-take-charge",
  text: `INSERT INTO keyline.queue (name, epoch) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch RETURNING rebuilt_epoch`,
};

const readQueue: Statement = {
  name: "keyline-read-queue",
  text: `SELECT epoch, rebuilt_epoch FROM keyline.queue WHERE name = $1`,
};

const noteRebuilt: Statement = {
  name: "keyline-note-rebuilt",
  text: `UPDATE keyline.queue SET rebuilt_epoch = $2 WHERE name = $1 AND epoch = $2`,
};

/** The rows of one transactional queue: a row is there as long as its job is not settled. */
export class JobTable {
  readonly database: Database;
  readonly queue: string;
  readonly placed: PlacedRows;

  constructor(database: Database, queue: string) {
    this.database = database;
    this.queue = queue;
    this.placed = new PlacedRows(database, queue);
  }

  async insert(jobs: readonly NewJob[]): Promise<void> {
    await this.database.query(insert, [this.queue, ...columnsOf(jobs)]);
  }

  /** The ids that were not known. */
  async insertUnlessKnown(jobs: readonly NewJob[]): Promise<Set<string>> {
    const rows = await this.database.query<{ id: string }>(insertUnlessKnown, [this.queue, ...columnsOf(jobs)]);
    return new Set(rows.map((row) => row.id));
  }

  /** Inserts in the caller's transaction. Returns the ids that were not known, and the transaction's id. */
  async insertWithin(
    tx: TransactionClient,
    jobs: readonly NewJob[],
  ): Promise<{ readonly added: Set<string>; readonly xid: string | undefined }> {
    const added = (await queryWithin(tx, insertInTransaction, [this.queue, ...columnsOf(jobs)])) as { id: string; xid: string }[];
    return { added: new Set(added.map((row) => row.id)), xid: added[0]?.xid };
  }

  /** False when the row is gone, ended, or has had a later attempt than the one that failed. The same call with the same `tag` may be made again. */
  async retry(id: string, failure: Failure & { readonly delayMs: number; readonly tag: string }): Promise<boolean> {
    const { attempts, delayMs, error, heldAttempts, tag } = failure;
    const rows = await withStorableText(error, (text) =>
      this.database.query(retry, [this.queue, id, attempts, delayMs, text, heldAttempts, tag]),
    );
    return rows.length === 1;
  }

  /** The same, for good. */
  async bury(id: string, { attempts, error, heldAttempts }: Failure): Promise<boolean> {
    const rows = await withStorableText(error, (text) => this.database.query(bury, [this.queue, id, attempts, text, heldAttempts]));
    return rows.length === 1;
  }

  /** `epoch` names the memory in which the elements have these counts, or an older one. */
  async raiseAttempts(jobs: readonly { readonly id: string; readonly attempts: number }[], epoch: string): Promise<void> {
    const values = [this.queue, jobs.map((job) => job.id), jobs.map((job) => job.attempts), epoch];
    await this.database.query(raiseAttempts, values);
  }

  /** The attempts of each job that is not ended, by id. */
  async findOpen(ids: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.database.query<{ id: string; attempts: number }>(findOpen, [this.queue, ids]);
    return new Map(rows.map((row) => [row.id, row.attempts]));
  }

  /** Dead letters that wait again, oldest first. */
  async redrive(limit: number): Promise<JobRow[]> {
    const rows = await this.database.query<JobRow>(redrive, [this.queue, limit]);
    return rows.sort((one, other) => Number(one.order) - Number(other.order));
  }

  listDead(limit: number): Promise<DeadRow[]> {
    return this.database.query<DeadRow>(listDead, [this.queue, limit]);
  }

  async countDead(): Promise<number> {
    return (await this.database.query<{ dead: number }>(countDead, [this.queue]))[0]?.dead ?? 0;
  }

  /** Notes that the jobs were delivered to `epoch`, if that is in charge, and returns whether it is. Jobs that were settled meanwhile cost a look-up. */
  async mark(epoch: string, ids: readonly string[]): Promise<boolean> {
    const [row] = await this.database.query<{ is_in_charge: boolean }>(mark, [this.queue, epoch, joinIds(ids), false]);
    return row?.is_in_charge ?? false;
  }

  /** The same for jobs that were delivered to an older epoch. */
  async markAgain(epoch: string, ids: readonly string[]): Promise<void> {
    await this.database.query(mark, [this.queue, epoch, joinIds(ids), true]);
  }

  /** Puts `epoch` in charge. Returns the last epoch for which every older delivery was looked at. */
  async takeCharge(epoch: string): Promise<string> {
    const present = await this.database.query<{ epoch: string; rebuilt_epoch: string }>(readQueue, [this.queue]);
    if (present[0]?.epoch === epoch) return present[0].rebuilt_epoch;
    const rows = await this.database.query<{ rebuilt_epoch: string }>(takeCharge, [this.queue, epoch]);
    return rows[0]?.rebuilt_epoch ?? "";
  }

  async noteRebuilt(epoch: string): Promise<void> {
    await this.database.query(noteRebuilt, [this.queue, epoch]);
  }
}

/** Jobs of these queues that nobody is known to have delivered, in the order of adding, up to `limit` of each. */
export function findUndelivered(database: Database, queues: readonly string[], limit: number): Promise<{ queue: string; id: string }[]> {
  return database.query<{ queue: string; id: string }>(peekUndelivered, [queues, limit]);
}

/** Ids in one text, as the functions of the schema take them. */
export function joinIds(ids: readonly string[]): string {
  return ids.join(separator);
}

function columnsOf(jobs: readonly NewJob[]): [string[], string[], (number | null)[]] {
  const ids: string[] = [];
  const data: string[] = [];
  const maxAttempts: (number | null)[] = [];
  for (const job of jobs) {
    ids.push(job.id);
    data.push(job.dataJson);
    maxAttempts.push(job.maxAttempts ?? null);
  }
  return [ids, data, maxAttempts];
}
