import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { QueueCounts } from "../../runtime/counters.ts";
import type { Statement } from "../client/statement.ts";
import { CancelledRows } from "./cancelled-rows.ts";
import { ChargeTable } from "./charge-table.ts";
import { FailedRows } from "./failed-rows.ts";
import { columns } from "./job-row.ts";
import { OnceRows } from "./once-rows.ts";
import { OutcomeTable } from "./outcome-table.ts";
import { ParkedRows } from "./parked-rows.ts";
import { PlacedRows } from "./placed-rows.ts";
import { queryWithin } from "../client/tx-check.ts";

/** Stands between the parts of a list in one text; no id that was added here has it. */
export const separator = "\x1f";

export interface NewJob {
  readonly id: string;
  readonly dataJson: string;
  readonly maxAttempts: number | undefined;
}

/** What came of a note of deliveries. */
interface Marked {
  readonly isInCharge: boolean;
  readonly busy: ReadonlySet<string>;
}

interface MarkedRow {
  readonly is_in_charge: boolean;
  readonly busy: string | null;
}

interface Undelivered {
  readonly queue: string;
  readonly id: string;
}

type FoundRow = (Undelivered & { readonly delivery: null }) | { readonly queue: string; readonly id: null; readonly delivery: string };

const insert: Statement = {
  name: "keyline-insert",
  text: `INSERT INTO keyline.job (queue, id, data, max_attempts)
    SELECT $1, id, data::json, max_attempts FROM unnest($2::text[], $3::text[], $4::integer[]) AS new (id, data, max_attempts)`,
};

// In the order of the ids, as keyline.add_jobs does it, so that two of them never wait for each other; the order of adding is that in which they were given.
const insertUnlessKnown: Statement = {
  name: "keyline-insert-unless-known",
  text: `INSERT INTO keyline.job (queue, id, seq, data, max_attempts) OVERRIDING SYSTEM VALUE
    SELECT $1, id, seq, data::json, max_attempts FROM (
      SELECT new.*, nextval('keyline.job_seq_seq') AS seq FROM unnest($2::text[], $3::text[], $4::integer[]) AS new (id, data, max_attempts) OFFSET 0
    ) AS numbered ORDER BY id, seq
    ON CONFLICT (queue, id) DO NOTHING RETURNING id`,
};

const insertInTransaction = "SELECT added AS id, xid FROM keyline.add_jobs($1, $2, $3, $4)";

export const settle: Statement = { name: "keyline-settle", text: "SELECT settled, missing, xid FROM keyline.settle_jobs($1, $2, $3)" };

/** Where results of some of them are kept. */
export const settleKept: Statement = {
  name: "keyline-settle-kept",
  text: "SELECT settled, missing, xid FROM keyline.settle_kept($1, $2, $3, $4::text[], $5::json[], $6::bigint[])",
};

/** Where some of them are children. */
export const settleChildren: Statement = {
  name: "keyline-settle-children",
  text: "SELECT settled, missing, xid FROM keyline.settle_children($1, $2, $3, $4::text[], $5::json[], $6::bigint[], $7::text[], $8::json[])",
};

/** Where some of them are children, and no results are kept for others. */
export const endChildren: Statement = {
  name: "keyline-end-children",
  text: "SELECT settled, missing, xid, families FROM keyline.end_children($1, $2, $3, $4, $5)",
};

/** Fails where not all of them are there. */
export const settleAll: Statement = { name: "keyline-settle-all", text: "SELECT keyline.settle_all($1, $2, $3) AS xid" };

export const settleOne: Statement = { name: "keyline-settle-one", text: "SELECT keyline.settle_job($1, $2, $3::bigint) AS xid" };

const findOpen: Statement = {
  name: "keyline-find-open",
  text: `SELECT id, attempts FROM keyline.job WHERE queue = $1 AND id = ANY($2::text[]) AND state IN ('waiting', 'scheduled')`,
};

const findRows: Statement = { name: "keyline-find-rows", text: "SELECT id FROM keyline.job WHERE queue = $1 AND id = ANY($2::text[])" };

const note: Statement = { name: "keyline-note", text: "SELECT is_in_charge, busy FROM keyline.note_delivered_to($1, $2, $3, $4)" };

const markAgain: Statement = { name: "keyline-mark-again", text: "SELECT keyline.mark_delivered($1, $2, $3, true) AS is_in_charge" };

// Behind the jobs a row without any, where there are families: who looks after those asks nothing by itself as long as there are none.
const peekUndelivered: Statement = {
  name: "keyline-peek-undelivered",
  text: `SELECT name AS queue, id, NULL::text AS delivery FROM unnest($1::text[]) AS names (name) CROSS JOIN LATERAL (
      SELECT id FROM keyline.job WHERE queue = name AND delivered_to IS NULL AND state IN ('waiting', 'scheduled') ORDER BY seq LIMIT $2
    ) AS jobs
    UNION ALL (SELECT queue, NULL, id::text FROM keyline.delivery WHERE queue = ANY ($1::text[]) ORDER BY keyline.delivery.id LIMIT 100)
    UNION ALL SELECT NULL, NULL, NULL WHERE EXISTS (SELECT FROM keyline.family)`,
};

export const claimUndelivered: Statement = {
  name: "keyline-claim-undelivered",
  text: `SELECT ${columns} FROM keyline.job
    WHERE queue = $1 AND id = ANY($2::text[]) AND delivered_to IS NULL AND state IN ('waiting', 'scheduled')
    ORDER BY seq FOR UPDATE SKIP LOCKED`,
};

export const declareDeliveredElsewhere = `DECLARE delivered_elsewhere NO SCROLL CURSOR FOR SELECT ${columns} FROM keyline.job
  WHERE queue = $1 AND delivered_to <> $2 AND state IN ('waiting', 'scheduled')
    AND delivered_to <> ALL (ARRAY(SELECT 'delivery:' || delivery.id FROM keyline.delivery WHERE delivery.queue = $1)) ORDER BY seq`;

/** The rows of one transactional queue: a row is there as long as its job is not settled. */
export class JobTable {
  readonly database: Database;
  readonly queue: string;
  readonly counts: QueueCounts;
  readonly placed: PlacedRows;
  readonly once: OnceRows;
  readonly failed: FailedRows;
  readonly outcomes: OutcomeTable;
  readonly cancelled: CancelledRows;
  readonly parked: ParkedRows;
  readonly charge: ChargeTable;

  constructor(database: Database, queue: string, counts: QueueCounts) {
    this.database = database;
    this.queue = queue;
    this.counts = counts;
    this.placed = new PlacedRows(database, queue);
    this.once = new OnceRows(database, queue);
    this.failed = new FailedRows(database, queue);
    this.outcomes = new OutcomeTable(database, queue);
    this.cancelled = new CancelledRows(database, queue);
    this.parked = new ParkedRows(database, queue);
    this.charge = new ChargeTable(database, queue);
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

  /** The attempts of each job that is not ended, by id. */
  async findOpen(ids: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.database.query<{ id: string; attempts: number }>(findOpen, [this.queue, ids]);
    return new Map(rows.map((row) => [row.id, row.attempts]));
  }

  /** Those of which there is a row, whatever that says. */
  async findRows(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.database.query<{ id: string }>(findRows, [this.queue, ids])).map(({ id }) => id));
  }

  /**
   * Notes that the jobs were delivered to `epoch`, if that is in charge, and returns whether it is. It waits for nobody's locks: `busy` are those that are to be noted later. Jobs that were
   * settled meanwhile cost a look-up. Those that were redriven are noted with the tag of that `redrive`, and none else: what was delivered before they died is not what they are now.
   */
  async mark(epoch: string, ids: readonly string[], redrive: string | undefined): Promise<Marked> {
    const [row] = await this.database.query<MarkedRow>(note, [this.queue, epoch, joinIds(ids), redrive ?? null]);
    return { isInCharge: row?.is_in_charge ?? false, busy: new Set(row?.busy?.split(separator)) };
  }

  /** The same for jobs that were delivered to an older epoch; those that somebody is at are left as they are. */
  async markAgain(epoch: string, ids: readonly string[]): Promise<void> {
    await this.database.query(markAgain, [this.queue, epoch, joinIds(ids)]);
  }
}

/** Jobs of these queues that nobody is known to have delivered, in the order of adding, up to `limit` of each, and deliveries of which that is not known; and whether any job has children. */
export async function findUndelivered(
  database: Database,
  queues: readonly string[],
  limit: number,
): Promise<{ readonly jobs: readonly Undelivered[]; readonly deliveries: readonly Undelivered[]; readonly hasFamilies: boolean }> {
  const rows = await database.query<FoundRow | { readonly queue: null }>(peekUndelivered, [queues, limit]);
  const found = rows.filter((row) => row.queue !== null);
  const jobs = found.filter(({ delivery }) => delivery === null) as Undelivered[];
  const deliveries = found.flatMap(({ queue, delivery }) => (delivery === null ? [] : [{ queue, id: delivery }]));
  return { jobs, deliveries, hasFamilies: found.length < rows.length };
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
