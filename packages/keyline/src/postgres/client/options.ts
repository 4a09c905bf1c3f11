import { KeylineError } from "../../runtime/errors.ts";
import { withoutPassword } from "../../runtime/logger.ts";
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

// What the driver takes for an address; it would take anything else for the name of a database, on a host that is not meant.
const address = /^(?:postgres(?:ql)?:\/\/|socket:|\/)/;

/** Throws INVALID_OPTION for what is no address, no configuration and no pool. */
export function checkPostgres(options: PostgresOptions): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  if (typeof options === "string" && address.test(options)) return;
  const found = typeof options === "string" ? JSON.stringify(withoutPassword(options)) : String(options);
  throw new KeylineError(
    "INVALID_OPTION",
    `${found} is no PostgreSQL address: write postgres://user@host:port/database, or give a configuration or a pool of pg`,
  );
}

export function isPool(options: PostgresOptions): options is Pool {
  return typeof options === "object" && "connect" in options && typeof options.connect === "function";
}

/** A `pg` client inside a transaction that Keyline began and ends: write through it, and leave BEGIN and COMMIT to Keyline. */
export type Transaction = PoolClient;
