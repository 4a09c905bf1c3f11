import type { ClientBase, Pool } from "pg";
import { noCounts, type Counts, type Review } from "../review.ts";

export interface NewReview {
  readonly userId: string;
  readonly content: string;
}

interface PageOfReviews {
  readonly limit: number;
  /** Only reviews that are older than this one. */
  readonly before?: number | undefined;
}

/** A change of `reaction_counts`: `action` is that of the events, `kind` what reaction it is. */
export interface CountChange {
  readonly reviewId: number;
  readonly action: "reaction" | "response";
  readonly kind: string;
  readonly count: number;
}

// The lock: IF NOT EXISTS alone lets two processes that start at once both try, and one of them fail.
const lock = "SELECT pg_advisory_xact_lock(7738160522)";

const create = `
  ${lock};
  CREATE TABLE IF NOT EXISTS reviews (
    review_id serial PRIMARY KEY,
    user_id varchar(50),
    review_content text,
    timestamp timestamp DEFAULT current_timestamp
  );
  CREATE TABLE IF NOT EXISTS reaction_counts (
    review_id integer NOT NULL,
    action text NOT NULL,
    kind text NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (review_id, action, kind)
  )`;

const insertReview = "INSERT INTO reviews (user_id, review_content) VALUES ($1, $2) RETURNING review_id";
const findReview = `
  SELECT coalesce(user_id, '') AS "userId", coalesce(review_content, '') AS content FROM reviews WHERE review_id = $1`;
const hasReview = "SELECT FROM reviews WHERE review_id = $1";
// The column has no time zone: the connections of the pool have UTC for it.
const listReviews = `
  SELECT review_id AS "reviewId", coalesce(user_id, '') AS "userId", coalesce(review_content, '') AS content,
    "timestamp" AT TIME ZONE 'UTC' AS "postedAt"
  FROM reviews WHERE review_id < coalesce($1, 2147483648) ORDER BY review_id DESC LIMIT $2`;

const listCounts = `SELECT review_id AS "reviewId", action, kind, count FROM reaction_counts WHERE review_id = ANY($1) ORDER BY kind`;
const addCounts = `
  INSERT INTO reaction_counts (review_id, action, kind, count)
  SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::integer[])
  ON CONFLICT (review_id, action, kind) DO UPDATE SET count = reaction_counts.count + excluded.count`;

type ReviewRow = Pick<Review, "reviewId" | "userId" | "content"> & { readonly postedAt: Date | null };

/** The tables `reviews` and `reaction_counts`, as far as no transaction is needed. */
export class ReviewTables {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async create(): Promise<void> {
    await this.#pool.query(create);
  }

  async has(reviewId: number): Promise<boolean> {
    const { rowCount } = await this.#pool.query(hasReview, [reviewId]);
    return rowCount === 1;
  }

  /** Newest first. */
  async list({ limit, before }: PageOfReviews): Promise<Review[]> {
    const { rows } = await this.#pool.query<ReviewRow>(listReviews, [before ?? null, limit]);
    const counts = await readCounts(
      this.#pool,
      rows.map(({ reviewId }) => reviewId),
    );
    return rows.map(({ postedAt, ...review }) => ({
      ...review,
      postedAt: (postedAt ?? new Date(0)).toISOString(),
      ...(counts.get(review.reviewId) ?? noCounts),
    }));
  }
}

/** Until the end of the transaction no other process fills the tables. */
export async function lockForFilling(tx: ClientBase): Promise<{ readonly isEmpty: boolean }> {
  await tx.query(lock);
  const { rowCount } = await tx.query("SELECT FROM reviews LIMIT 1");
  return { isEmpty: rowCount === 0 };
}

export async function insertReviewRow(tx: ClientBase, { userId, content }: NewReview): Promise<number> {
  const { rows } = await tx.query<{ review_id: number }>(insertReview, [userId, content]);
  const [row] = rows;
  if (!row) throw new Error("INSERT ... RETURNING returned no row");
  return row.review_id;
}

export async function findReviewRow(tx: ClientBase, reviewId: number): Promise<NewReview | undefined> {
  return (await tx.query<NewReview>(findReview, [reviewId])).rows[0];
}

/** The counts of these reviews, as far as they have some. */
export async function readCounts(client: Pick<ClientBase, "query">, reviewIds: readonly number[]): Promise<ReadonlyMap<number, Counts>> {
  const { rows } = await client.query<CountChange>(listCounts, [reviewIds]);
  return new Map([...Map.groupBy(rows, ({ reviewId }) => reviewId)].map(([reviewId, ofReview]) => [reviewId, toCounts(ofReview)]));
}

/** At most one change for each review, action and kind. */
export async function addToCounts(tx: Pick<ClientBase, "query">, changes: readonly CountChange[]): Promise<void> {
  await tx.query(addCounts, [
    changes.map(({ reviewId }) => reviewId),
    changes.map(({ action }) => action),
    changes.map(({ kind }) => kind),
    changes.map(({ count }) => count),
  ]);
}

function toCounts(rows: readonly CountChange[]): Counts {
  const reactions = rows.filter(({ action }) => action === "reaction");
  const responses = rows.filter(({ action }) => action === "response");
  return {
    reactions: sumOf(reactions),
    responses: sumOf(responses),
    kinds: Object.fromEntries(reactions.map(({ kind, count }) => [kind, count])),
  };
}

function sumOf(rows: readonly CountChange[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}
