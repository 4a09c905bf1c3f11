import type { PostgresHealth } from "./postgres-health.ts";
import { compareVersions, type ValkeyHealth } from "./valkey-health.ts";

export type HealthWarningCode =
  | "VALKEY_AWAY"
  | "POSTGRES_AWAY"
  | "EVICTION"
  | "KEYS_EVICTED"
  | "MEMORY_NEARLY_FULL"
  | "NO_PERSISTENCE"
  | "PERSISTENCE_UNKNOWN"
  | "PERSISTENCE_FAILING"
  | "OLD_VALKEY"
  | "OLD_POSTGRES"
  | "MIGRATION_PENDING"
  | "SCHEMA_TOO_NEW"
  | "CLOCK_SKEW"
  | "RELAY_LAG"
  | "POOL_BUSY"
  | "RIGHTS_MISSING";

export interface HealthWarning {
  readonly code: HealthWarningCode;
  /** What is wrong, as it was seen. */
  readonly message: string;
  /** What to do. */
  readonly advice: string;
}

export interface ValkeySeen {
  readonly health: ValkeyHealth;
  readonly isInfoRefused: boolean;
}

export interface PostgresSeen {
  readonly health: PostgresHealth;
  readonly major?: number;
  readonly missingRight?: string | undefined;
}

const fullFrom = 0.9;
const skewMs = 1_000;
/** A relay looks every second, and looks twice. */
const relayLagMs = 5_000;
/** Older ones work, and their makers mend them no more, or soon will not. */
const oldest = { Valkey: "8.0", Redis: "7.2", PostgreSQL: 15 } as const;

/** What endangers data comes first. */
export function warningsOf(valkey: ValkeySeen, postgres: PostgresSeen): HealthWarning[] {
  return [...valkeyWarnings(valkey), ...postgresWarnings(postgres)];
}

function* valkeyWarnings({ health, isInfoRefused }: ValkeySeen): Iterable<HealthWarning> {
  const { state, error, memory, persistence, evictedKeys = 0, server, version, clockSkewMs = 0 } = health;
  if (state === "away") {
    yield warning(
      "VALKEY_AWAY",
      `Valkey is away: ${error ?? ""}`,
      "start it, or mend what the message names; jobs that are rows in PostgreSQL wait there",
    );
    return;
  }
  if (isInfoRefused) {
    yield warning(
      "RIGHTS_MISSING",
      "This user of Valkey may not use INFO, so memory, persistence and version are not known",
      "give it +info",
    );
  }
  if (memory && memory.policy !== "noeviction") {
    const message = `Valkey throws keys away when its memory is full (maxmemory-policy is ${memory.policy}): jobs, messages and events would be gone`;
    yield warning("EVICTION", message, "set maxmemory-policy to noeviction");
  }
  if (evictedKeys > 0) {
    const advice = "give it more memory and set maxmemory-policy to noeviction; what was transactional comes back from PostgreSQL";
    yield warning("KEYS_EVICTED", `Valkey has thrown ${evictedKeys} keys away since it started`, advice);
  }
  if (memory && memory.maxBytes > 0 && memory.usedBytes > fullFrom * memory.maxBytes) {
    const used = `${Math.round((100 * memory.usedBytes) / memory.maxBytes)} %`;
    yield warning(
      "MEMORY_NEARLY_FULL",
      `Valkey uses ${used} of its maxmemory; when it is full it refuses to take jobs`,
      "raise maxmemory, or keep less",
    );
  }
  if (persistence) yield* persistenceWarnings(persistence);
  if (
    server !== undefined &&
    version !== undefined &&
    (server === "Valkey" || server === "Redis") &&
    compareVersions(version, oldest[server]) < 0
  ) {
    yield warning("OLD_VALKEY", `The server is ${server} ${version}`, `run ${server} ${oldest[server]} or newer`);
  }
  if (Math.abs(clockSkewMs) > skewMs) yield skewWarning("Valkey", clockSkewMs);
}

function* persistenceWarnings({ appendOnly, snapshots, isFailing }: NonNullable<ValkeyHealth["persistence"]>): Iterable<HealthWarning> {
  const advice = "set appendonly to yes; what is transactional comes back from PostgreSQL in any case";
  if (!appendOnly && snapshots === false) {
    yield warning(
      "NO_PERSISTENCE",
      "Valkey writes nothing to disk: jobs of plain queues, plain streams and histories are gone when it restarts",
      advice,
    );
  } else if (!appendOnly && snapshots === undefined) {
    const message =
      "Whether Valkey writes anything to disk is not known: it keeps no log (appendonly is no), and this user may not ask for snapshots";
    yield warning("PERSISTENCE_UNKNOWN", message, `give the user +config|get to have it looked at, or ${advice}`);
  }
  if (isFailing) {
    yield warning(
      "PERSISTENCE_FAILING",
      "Valkey could not write to its disk the last time it tried",
      "look for a full or broken disk, and into its log",
    );
  }
}

function* postgresWarnings({ health, major, missingRight }: PostgresSeen): Iterable<HealthWarning> {
  const { state, error, migration, relay, pool, version, clockSkewMs = 0 } = health;
  if (pool && pool.waiting > 0) {
    const message = `All ${pool.size} connections to PostgreSQL are in use in this process, and ${pool.waiting} callers wait for one`;
    yield warning("POOL_BUSY", message, "raise postgres.max, or shorten what is done within transactions");
  }
  if (state === "unused") return;
  if (state === "away") {
    yield warning(
      "POSTGRES_AWAY",
      `PostgreSQL is away: ${error ?? ""}`,
      "start it, or mend what the message names; transactional queues wait for it",
    );
    return;
  }
  if (migration && migration.at < migration.newest) {
    const message = `The schema keyline is at migration ${migration.at}, this library knows ${migration.newest}`;
    yield warning("MIGRATION_PENDING", message, "call keyline.migrate() before the new version works");
  }
  if (migration && migration.at > migration.newest) {
    const message = `The schema keyline is at migration ${migration.at}, this library knows only ${migration.newest}`;
    yield warning("SCHEMA_TOO_NEW", message, "upgrade the package keyline here");
  }
  if (missingRight !== undefined && migration?.at !== 0) {
    yield warning("RIGHTS_MISSING", `The role of PostgreSQL lacks ${missingRight}`, "give it the rights that the guide names");
  }
  if (relay?.oldestMs !== undefined && relay.oldestMs > relayLagMs) {
    const message = `${relay.backlog} committed jobs, messages and events are not on Valkey yet, the oldest for ${Math.round(relay.oldestMs / 1_000)} s`;
    yield warning(
      "RELAY_LAG",
      message,
      "see that Valkey is there, and that a process runs which opens these queues: it relays what others committed",
    );
  }
  if (major !== undefined && major < oldest.PostgreSQL) {
    yield warning("OLD_POSTGRES", `The server is PostgreSQL ${version}`, `run PostgreSQL ${oldest.PostgreSQL} or newer`);
  }
  if (Math.abs(clockSkewMs) > skewMs) yield skewWarning("PostgreSQL", clockSkewMs);
}

function skewWarning(store: string, aheadMs: number): HealthWarning {
  const message = `The clock of ${store} is ${Math.abs(aheadMs)} ms ${aheadMs > 0 ? "ahead of" : "behind"} the one of this process`;
  return warning("CLOCK_SKEW", message, "have both machines keep their time by NTP: due times and ages are off by as much");
}

function warning(code: HealthWarningCode, message: string, advice: string): HealthWarning {
  return { code, message, advice };
}
