import type { Database } from "../client/database.ts";
import type { TransactionClient } from "../client/options.ts";
import type { Statement } from "../client/statement.ts";
import { queryWithin } from "../client/tx-check.ts";
import { addCall, addToCall, type ChildDeath, type FamilyCall, type HeldParent, type NewChildren, type RootJob } from "./family-calls.ts";
import { countOf } from "./held-count.ts";
import { ParentRows } from "./parent-rows.ts";
import type { ParkableRow } from "./parked-rows.ts";

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

export interface ChildRow {
  readonly number: number;
  readonly queue: string;
  readonly id: string;
  readonly outcome: "completed" | "dead" | "cancelled" | null;
  /** As JSON. */
  readonly value: string | null;
  readonly reason: string | null;
}

const awaitChildren: Statement = {
  name: "keyline-await-children",
  text: "SELECT answer FROM keyline.await_children($1, $2, $3::bigint, $4, $5)",
};

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
  add(root: RootJob, below: NewChildren, tx: TransactionClient | undefined): Promise<FamilyAnswer> {
    return this.#add(addCall(root, below), tx);
  }

  /** Adds children below a job that its worker holds. */
  addTo(held: HeldParent, death: ChildDeath | undefined, below: NewChildren & { readonly tx: TransactionClient }): Promise<FamilyAnswer> {
    return this.#add(addToCall(held, death, below), below.tx);
  }

  /** Goes on where all children have ended, or parks the job until then. The same call with the same `tag` may be made again. */
  async await(queue: string, held: ParkableRow, tag: string): Promise<"done" | "dead" | "parked" | "lost"> {
    const [row] = await this.database.query<{ answer: "done" | "dead" | "parked" | "lost" }>(awaitChildren, [
      queue,
      held.id,
      countOf(held),
      held.parks,
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

  /** Removes a page of the rows of a family whose parent has ended, but for those that are being written; with the last of them all of it. Returns how many went. */
  async clear(family: string, limit: number): Promise<number> {
    const { length } = await this.database.query(clear, [family, limit]);
    if (length < limit) await this.database.query(forget, [family]);
    return length;
  }

  async #add({ statement, values }: FamilyCall, tx: TransactionClient | undefined): Promise<FamilyAnswer> {
    const rows = tx ? await queryWithin(tx, statement.text, values) : await this.database.query(statement, values);
    return rows[0] as FamilyAnswer;
  }
}
