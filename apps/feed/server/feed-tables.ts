import type { ClientBase, Pool } from "pg";
import type { Post } from "../post.ts";

export interface ChannelRow {
  readonly name: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface NewPost {
  readonly channel: string;
  readonly author: string;
  readonly content: string;
}

interface PageOfPosts {
  readonly limit: number;
  /** Only posts that are older than this one. */
  readonly before?: number | undefined;
}

// The lock: IF NOT EXISTS alone lets two processes that start at once both try, and one of them fail.
const lock = "SELECT pg_advisory_xact_lock(7738160521)";

const create = `
  ${lock};
  CREATE TABLE IF NOT EXISTS channels (name text PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE IF NOT EXISTS posts (
    post_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel text NOT NULL REFERENCES channels,
    author text NOT NULL,
    content text NOT NULL,
    posted_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE INDEX IF NOT EXISTS posts_of_channel ON posts (channel, post_id DESC)`;

const insertChannel = "INSERT INTO channels (name) VALUES ($1) ON CONFLICT DO NOTHING";
const hasChannel = "SELECT FROM channels WHERE name = $1";
const listChannels = `SELECT name, created_at AS "createdAt" FROM channels ORDER BY created_at, name`;

const postColumns = `post_id AS "postId", author, content, posted_at AS "postedAt"`;
const insertPost = `INSERT INTO posts (channel, author, content) VALUES ($1, $2, $3) RETURNING ${postColumns}`;
const listPosts = `
  SELECT ${postColumns} FROM posts WHERE channel = $1 AND post_id < coalesce($2, 2147483647) ORDER BY post_id DESC LIMIT $3`;

type Dated<Row, Field extends keyof Row> = Omit<Row, Field> & { readonly [Key in Field]: Date };
type PostRow = Dated<Post, "postedAt">;

/** The tables `channels` and `posts`, as far as no transaction is needed. */
export class FeedTables {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async create(): Promise<void> {
    await this.#pool.query(create);
  }

  async hasChannel(name: string): Promise<boolean> {
    const { rowCount } = await this.#pool.query(hasChannel, [name]);
    return rowCount === 1;
  }

  /** Oldest first. */
  async listChannels(): Promise<ChannelRow[]> {
    const { rows } = await this.#pool.query<Dated<ChannelRow, "createdAt">>(listChannels);
    return rows.map(({ name, createdAt }) => ({ name, createdAt: createdAt.toISOString() }));
  }

  /** Newest first. */
  async listPosts(channel: string, { limit, before }: PageOfPosts): Promise<Post[]> {
    const { rows } = await this.#pool.query<PostRow>(listPosts, [channel, before ?? null, limit]);
    return rows.map(toPost);
  }
}

/** Until the end of the transaction no other process fills the tables. */
export async function lockForFilling(tx: ClientBase): Promise<{ readonly isEmpty: boolean }> {
  await tx.query(lock);
  const { rowCount } = await tx.query("SELECT FROM channels LIMIT 1");
  return { isEmpty: rowCount === 0 };
}

/** False when there is a channel of that name already. */
export async function insertChannelRow(tx: ClientBase, name: string): Promise<boolean> {
  const { rowCount } = await tx.query(insertChannel, [name]);
  return rowCount === 1;
}

export async function insertPostRow(tx: ClientBase, { channel, author, content }: NewPost): Promise<Post> {
  const { rows } = await tx.query<PostRow>(insertPost, [channel, author, content]);
  const [row] = rows;
  if (!row) throw new Error("INSERT ... RETURNING returned no row");
  return toPost(row);
}

function toPost({ postedAt, ...post }: PostRow): Post {
  return { ...post, postedAt: postedAt.toISOString() };
}
