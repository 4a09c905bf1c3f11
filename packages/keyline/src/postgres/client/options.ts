import type { Pool, PoolClient, PoolConfig } from "pg";

/** Where PostgreSQL is: a URL, a configuration of `pg`, or the caller's own pool (which Keyline then does not end). */
export type PostgresOptions = string | PoolConfig | Pool;

/**
 * What Keyline needs of a transaction: `pg`'s clients have it. `connection` is `pg`'s own, on which the end of a transaction can be
 * seen; with a wrapper that hides it, the relay finds the committed rows within a second.
 */
export interface TransactionClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** A pool has it: each of its statements may go to another connection, so it is no transaction. */
  readonly totalCount?: never;
}

export function isPool(options: PostgresOptions): options is Pool {
  return typeof options === "object" && "connect" in options && typeof options.connect === "function";
}

/** A `pg` client inside a transaction that Keyline began and ends: write through it, and leave BEGIN and COMMIT to Keyline. */
export type Transaction = PoolClient;
