/*
 * DESIGN. What `keyline.health()` says is asked for on the way of everything else: the same connection, the same pool. So it also sees what keeps work waiting there. Each store is asked on its
 * own, for a bounded time, with commands and statements that look at counters and indexes alone; one that is away, or refuses, is told of and never thrown.
 */
import { clearTimeout, setTimeout } from "../runtime/clock.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import { withoutPassword } from "../runtime/logger.ts";
import { readDatabase } from "../postgres/client/database-report.ts";
import type { Database } from "../postgres/client/database.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import { readServers } from "../valkey/client/server-report.ts";
import { notesOf, warningsOf } from "./health-warnings.ts";
import { emptyPostgresHealth, toPostgresHealth, type PostgresHealth } from "./postgres-health.ts";
import type { PostgresSeen } from "./postgres-warnings.ts";
import { emptyValkeyHealth, toValkeyHealth, type ValkeyHealth } from "./valkey-health.ts";
import type { ValkeySeen } from "./valkey-warnings.ts";
import type { HealthNote, HealthWarning } from "./warning.ts";

export interface Health {
  /** When it was looked at, in milliseconds since 1970. */
  readonly at: number;
  readonly valkey: ValkeyHealth;
  readonly postgres: PostgresHealth;
  /** What endangers data or speed, each with what to do. */
  readonly warnings: readonly HealthWarning[];
  /** What could be better and endangers nothing, as a server that is supported and old. */
  readonly notes: readonly HealthNote[];
}

const answerWithinMs = 2_500;

interface Stores {
  readonly commands: ValkeyConnection;
  readonly prefix: string;
  readonly database: Database | undefined;
}

/** Never rejects for a store that is away. */
export async function readHealth({ commands, prefix, database }: Stores): Promise<Health> {
  const [valkey, postgres] = await Promise.all([valkeyHealth(commands, prefix), postgresHealth(database)]);
  return {
    at: Date.now(),
    valkey: valkey.health,
    postgres: postgres.health,
    warnings: warningsOf(valkey, postgres),
    notes: notesOf(valkey, postgres),
  };
}

async function valkeyHealth(commands: ValkeyConnection, prefix: string): Promise<ValkeySeen> {
  const { isCluster } = commands;
  try {
    const servers = await withinTime("Valkey", async () => {
      await commands.ensureReadySoon(answerWithinMs / 2);
      return readServers(commands, prefix);
    });
    return {
      health: toValkeyHealth(servers, isCluster),
      isInfoRefused: servers.some((server) => server.isInfoRefused),
      refused: [...new Set(servers.flatMap(({ refused }) => refused))],
    };
  } catch (error) {
    return { health: { ...emptyValkeyHealth, isCluster, error: reasonOf(error) }, isInfoRefused: false, refused: [] };
  }
}

async function postgresHealth(database: Database | undefined): Promise<PostgresSeen> {
  if (!database) return { health: { ...emptyPostgresHealth, state: "unused" } };
  const pool = await database.poolLoad().catch(() => undefined);
  try {
    if (!database.isAvailable) throw new KeylineError("POSTGRES_UNAVAILABLE", "PostgreSQL does not answer, or takes no writes");
    const report = await withinTime("PostgreSQL", () => readDatabase(database));
    return { health: toPostgresHealth(report, pool), major: report.major, missingRight: report.missingRight };
  } catch (error) {
    return { health: { ...emptyPostgresHealth, pool, error: reasonOf(error) } };
  }
}

const reasonOf = (error: unknown): string => withoutPassword(toError(error).message);

async function withinTime<Result>(store: string, ask: () => Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${store} did not answer within ${answerWithinMs} ms`)), answerWithinMs);
  const answer = ask();
  // It may still fail when nobody waits for it any more.
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
