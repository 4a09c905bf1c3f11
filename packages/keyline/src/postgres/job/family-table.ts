import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { HeldRow } from "../settle/settlement.ts";
import type { Statement } from "../client/statement.ts";
import { queryWithin } from "../client/tx-check.ts";
import { ParentRows } from "./parent-rows.ts";
import type { PlacedJob } from "./placed-rows.ts";

/** What the death of a child does to its parent. */
export type ChildDeath = "die" | "ignore" | "value";

/** A job below another one, in the row that it is to be. */
export interface ChildJob extends PlacedJob {
  readonly queue: string;
  readonly isOwnId: boolean;
  readonly parentQueue: string;
  readonly parentId: string;
  /** Given where it has children itself. */
  readonly death: ChildDeath | undefined;
}

/** The job above all. */
export interface RootJob extends Pick<PlacedJob, "id" | "dataJson" | "maxAttempts" | "priority" | "keepMs" | "trace"> {
  readonly queue: string;
  readonly death: ChildDeath;
}

/** What came of a family that was to be added. */
export interface FamilyAnswer {
  /** "known": there is a job with the id of the root; "taken": there is one with the id of the child at the place `taken`, counted from 1; "lost": the parent is not this attempt's. */
  readonly answer: "added" | "known" | "taken" | "lost";
  readonly taken: number | null;
  /** The places of grouped children among all jobs, by their places in the call. */
  readonly orders: Readonly<Record<string, string>> | null;
  /** When all of them were added, in milliseconds since 1970, as their rows say. */
  readonly added_ms: number | null;
  readonly xid: string | null;
  /** Numbers of deliveries that are to be noted together, by their queues. */
  readonly deliveries?: Readonly<Record<string, string>> | null;
}

/** Jobs of one queue that are added together and to be noted as delivered together: all that have no children, between these two ids. */
export interface Span {
  readonly queue: string;
  readonly first: string;
  readonly last: string;
}

export interface ChildRow {
  readonly number: number;
  readonly queue: string;
  readonly id: string;
  readonly outcome: "completed" | "dead" | "cancelled" | null;
  /** As JSON. */
  readonly value: string | null;
  readonly reason: string | null;
}

const answer = "SELECT answer, taken, orders, added_ms, xid FROM";
const lists = (from: number): string =>
  ["text", "text", "text", "integer", "float8", "float8", "text", "text", "bigint", "boolean", "text", "text", "text"]
    .map((type, index) => `$${from + index}::${type}[]`)
    .join(", ");

const add: Statement = {
  name: "keyline-add-family",
  text: `${answer} keyline.add_family($1, $2, $3, $4, $5, $6::bigint, $7, ${lists(8)})`,
};
const addTo: Statement = { name: "keyline-add-to-family", text: `${answer} keyline.add_to_family($1, $2, $3, $4, $5, ${lists(6)})` };
/** The same of jobs that have a trace: that of the call, for all of them. */
const addTraced: Statement = { name: "keyline-add-family-traced", text: add.text.replace(/\)$/, ", $21)") };
const addToTraced: Statement = { name: "keyline-add-to-family-traced", text: addTo.text.replace(/\)$/, ", $19)") };

/** The same of many jobs, whose deliveries are noted together. */
const addLarge: Statement = {
  name: "keyline-add-large-family",
  text: `SELECT answer, taken, orders, added_ms, xid, deliveries FROM keyline.add_large_family($1, $2, $3, $4, $5, $6::bigint, $7, ${lists(8)}, $21, $22::json)`,
};
const addManyTo: Statement = {
  name: "keyline-add-many-to-family",
  text: `SELECT answer, taken, orders, added_ms, xid, deliveries FROM keyline.add_many_to_family($1, $2, $3, $4, $5, ${lists(6)}, $19, $20::json)`,
};

const awaitChildren: Statement = { name: "keyline-await-children", text: "SELECT answer FROM keyline.await_children($1, $2, $3, $4, $5)" };

// One row without a number where there are no more; none where the job has no family, or none any more.
const read: Statement = {
  name: "keyline-read-children",
  text: `SELECT child.* FROM keyline.family LEFT JOIN LATERAL (
      SELECT number, queue, id, outcome, value::text AS value, reason FROM keyline.family_child AS one
        WHERE one.family = family.id AND one.number > $3 ORDER BY one.number LIMIT $4
    ) AS child ON true
    WHERE family.queue = $1 AND family.job_id = $2 AND family.ended IS NULL ORDER BY child.number`,
};

const isThere: Statement = {
  name: "keyline-is-there",
  text: "SELECT FROM keyline.job WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'scheduled')",
};

const keep: Statement = { name: "keyline-keep-for-parents", text: "SELECT keyline.keep_for_parents($1, $2::text[], $3::json[])" };

const ended: Statement = {
  name: "keyline-ended-families",
  text: "SELECT id::text AS family, ended FROM keyline.family WHERE ended IS NOT NULL AND id > $1::bigint ORDER BY id LIMIT $2",
};

const open: Statement = {
  name: "keyline-open-children",
  text: `SELECT number, queue, id, outcome, value::text AS value, reason FROM keyline.family_child
    WHERE family = $1::bigint AND outcome IS NULL AND number > $2 ORDER BY number LIMIT $3`,
};

const clear: Statement = {
  name: "keyline-clear-family",
  text: `DELETE FROM keyline.family_child WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM keyline.family_child WHERE family = $1::bigint LIMIT $2 FOR UPDATE SKIP LOCKED
    )) RETURNING number`,
};

const forget: Statement = {
  name: "keyline-forget-family",
  text: `WITH forgotten AS (
      DELETE FROM keyline.family WHERE id = $1::bigint AND ended IS NOT NULL
        AND NOT EXISTS (SELECT FROM keyline.family_child WHERE family_child.family = family.id) RETURNING id
    ) DELETE FROM keyline.family_death USING forgotten WHERE family_death.family = forgotten.id`,
};

/** The families of all transactional queues: rows say all there is to know of them. */
export class FamilyTable {
  readonly database: Database;
  readonly parents: ParentRows;

  constructor(database: Database) {
    this.database = database;
    this.parents = new ParentRows(database);
  }

  /** Adds a parent and everything below it, in the caller's transaction where there is one. */
  add(
    root: RootJob,
    {
      children,
      spans,
      tx,
    }: { readonly children: readonly ChildJob[]; readonly spans: readonly Span[]; readonly tx: TransactionClient | undefined },
  ): Promise<FamilyAnswer> {
    const { queue, id, dataJson, maxAttempts, priority, keepMs, death, trace } = root;
    const values = [queue, id, dataJson, maxAttempts ?? null, priority ?? null, keepMs ?? null, death, ...listsOf(children)];
    if (spans.length > 0) return this.#add(addLarge, [...values, trace ?? null, JSON.stringify(spans)], tx);
    return trace === undefined ? this.#add(add, values, tx) : this.#add(addTraced, [...values, trace], tx);
  }

  /** Adds children below a job that its worker holds. */
  addTo(
    { queue, id, attempts, parks }: HeldRow & { readonly queue: string; readonly parks: number },
    death: ChildDeath | undefined,
    { children, spans, tx }: { readonly children: readonly ChildJob[]; readonly spans: readonly Span[]; readonly tx: TransactionClient },
  ): Promise<FamilyAnswer> {
    const values = [queue, id, attempts, parks, death ?? null, ...listsOf(children)];
    const trace = children[0]?.trace;
    if (spans.length > 0) return this.#add(addManyTo, [...values, trace ?? null, JSON.stringify(spans)], tx);
    return trace === undefined ? this.#add(addTo, values, tx) : this.#add(addToTraced, [...values, trace], tx);
  }

  /** Goes on where all children have ended, or parks the job until then. The same call with the same `tag` may be made again. */
  async await(
    { queue, id, attempts, parks }: HeldRow & { readonly queue: string; readonly parks: number },
    tag: string,
  ): Promise<"done" | "dead" | "parked" | "lost"> {
    const [row] = await this.database.query<{ answer: "done" | "dead" | "parked" | "lost" }>(awaitChildren, [
      queue,
      id,
      attempts,
      parks,
      tag,
    ]);
    return row?.answer ?? "lost";
  }

  /** The children of a job in the order of adding, behind `after`; undefined where there is no such job any more. */
  async children(
    queue: string,
    id: string,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<ChildRow[] | undefined> {
    const rows = await this.database.query<(ChildRow | { readonly number: null }) & Record<string, unknown>>(read, [
      queue,
      id,
      after,
      limit,
    ]);
    if (rows.length === 0 && (await this.database.query(isThere, [queue, id])).length === 0) return undefined;
    return rows.flatMap((row) => (row.number === null ? [] : [row]));
  }

  /** What children came to, in the transaction that ends them. */
  async keepWithin(
    tx: TransactionClient,
    queue: string,
    results: readonly { readonly id: string; readonly json: string | undefined }[],
  ): Promise<void> {
    await tx.query(keep.text, [queue, results.map(({ id }) => id), results.map(({ json }) => json ?? null)]);
  }

  /** Families whose parent has ended, behind `after`. */
  ended(after: string, limit: number): Promise<{ family: string; ended: "completed" | "cancelled" | "removed" }[]> {
    return this.database.query(ended, [after, limit]);
  }

  /** Children of such a family that have not ended, behind `after`. */
  open(family: string, after: number, limit: number): Promise<ChildRow[]> {
    return this.database.query<ChildRow & Record<string, unknown>>(open, [family, after, limit]);
  }

  /** Removes a page of the rows of a family whose parent has ended. True when nothing is left. */
  async clear(family: string, limit: number): Promise<boolean> {
    if ((await this.database.query(clear, [family, limit])).length === limit) return false;
    await this.database.query(forget, [family]);
    return true;
  }

  async #add(statement: Statement, values: unknown[], tx: TransactionClient | undefined): Promise<FamilyAnswer> {
    const rows = tx ? await queryWithin(tx, statement.text, values) : await this.database.query(statement, values);
    return rows[0] as FamilyAnswer;
  }
}

function listsOf(jobs: readonly ChildJob[]): unknown[] {
  return [
    jobs.map(({ queue }) => queue),
    jobs.map(({ id }) => id),
    jobs.map(({ dataJson }) => dataJson),
    listOf(jobs, ({ maxAttempts }) => maxAttempts),
    listOf(jobs, ({ delayMs }) => delayMs),
    listOf(jobs, ({ runAt }) => runAt),
    listOf(jobs, ({ priority }) => priority),
    listOf(jobs, ({ group }) => group),
    listOf(jobs, ({ keepMs }) => keepMs),
    listOf(jobs, ({ isOwnId }) => isOwnId || undefined),
    jobs.map(({ parentQueue }) => parentQueue),
    jobs.map(({ parentId }) => parentId),
    listOf(jobs, ({ death }) => death),
  ];
}

/** Null where none has it, which is a list as long as the others for PostgreSQL, and is neither written nor read. */
function listOf<Value>(jobs: readonly ChildJob[], valueOf: (job: ChildJob) => Value | undefined): (Value | null)[] | null {
  return jobs.some((job) => valueOf(job) !== undefined) ? jobs.map((job) => valueOf(job) ?? null) : null;
}
