import type { PoolLoad } from "../postgres/client/connections.ts";
import { newestMigration, type DatabaseReport } from "../postgres/client/database-report.ts";

export interface PostgresHealth {
  /** "away" also while it takes no writes; "unused" without the option `postgres`. */
  readonly state: "ok" | "away" | "unused";
  /** Why it is away. */
  readonly error: string | undefined;
  readonly version: string | undefined;
  readonly roundTripMs: number | undefined;
  /** How far its clock is ahead of this process's, in milliseconds; 0 where the round trip took longer than that. */
  readonly clockSkewMs: number | undefined;
  /** How many migrations were made, and how many this library knows; undefined where the role may not look. */
  readonly migration: { readonly at: number; readonly newest: number } | undefined;
  /** Of this process: how many connections there may be, how many are in use, and how many callers wait for one. */
  readonly pool: PoolLoad | undefined;
  /** Connections that the server has, of everybody, and how many it takes of roles that are no superusers. Behind a pooler they are those of the server, too. */
  readonly connections: { readonly used: number; readonly max: number } | undefined;
  /** What a COMMIT is worth when the server crashes: the settings `fsync`, `full_page_writes` and, as it is for this role, `synchronous_commit`. */
  readonly durability: { readonly fsync: boolean; readonly fullPageWrites: boolean; readonly synchronousCommit: string } | undefined;
  /** What is committed and nobody is known to have brought to Valkey: jobs, messages and events, counted up to 10,000 of each; and for how long the oldest job or message waits. */
  readonly relay: { readonly backlog: number; readonly oldestMs: number | undefined } | undefined;
}

export const emptyPostgresHealth: PostgresHealth = {
  state: "away",
  error: undefined,
  version: undefined,
  roundTripMs: undefined,
  clockSkewMs: undefined,
  migration: undefined,
  pool: undefined,
  connections: undefined,
  durability: undefined,
  relay: undefined,
};

export function toPostgresHealth(report: DatabaseReport, pool: PoolLoad | undefined): PostgresHealth {
  const { version, roundTripMs, clockSkewMs, migratedTo, connections, durability, undelivered } = report;
  return {
    state: "ok",
    error: undefined,
    version,
    roundTripMs,
    clockSkewMs,
    migration: migratedTo === undefined ? undefined : { at: migratedTo, newest: newestMigration },
    pool,
    connections,
    durability,
    relay: undelivered && { backlog: undelivered.count, oldestMs: undelivered.oldestMs },
  };
}
