import type { PostgresHealth } from "./postgres-health.ts";
import { connectionsWarning, skewWarning, warning, type HealthNote, type HealthWarning } from "./warning.ts";

export interface PostgresSeen {
  readonly health: PostgresHealth;
  readonly major?: number;
  readonly missingRight?: string | undefined;
}

/** Older ones work, and take longer for the ends of many jobs: the guide says when. */
export const betterPostgres = 17;

/** A relay looks every second, and looks twice. */
const relayLagMs = 5_000;

export function* postgresWarnings({ health, missingRight }: PostgresSeen): Iterable<HealthWarning> {
  const { state, error, migration, relay, pool, connections, clockSkewMs = 0 } = health;
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
  yield* durabilityWarnings(health);
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
  yield* connectionsWarning(
    "PostgreSQL",
    connections,
    "lower postgres.max of your processes, put a pooler before it, or raise max_connections",
  );
  yield* skewWarning("PostgreSQL", clockSkewMs);
}

/** What the record promises is worth what the server's settings make of it. */
function* durabilityWarnings({ durability }: PostgresHealth): Iterable<HealthWarning> {
  const off = [durability?.fsync === false && "fsync", durability?.fullPageWrites === false && "full_page_writes"].filter(Boolean);
  if (off.length > 0) {
    const message = `PostgreSQL does not see to it that its disk has what it wrote (${off.join(" and ")} ${off.length > 1 ? "are" : "is"} off): a power cut may destroy the whole database`;
    yield warning("FSYNC_OFF", message, `set ${off.join(" and ")} to on`);
  }
  if (durability?.synchronousCommit === "off") {
    const message =
      "PostgreSQL answers a COMMIT before it is on disk (synchronous_commit is off): a crash takes back what was committed in the last moment, and effects that others have seen";
    yield warning("COMMIT_NOT_SYNCHRONOUS", message, "set synchronous_commit to on, at the least for the role that Keyline uses");
  }
}

export function* postgresNotes({ health: { version }, major }: PostgresSeen): Iterable<HealthNote> {
  if (major === undefined || major >= betterPostgres) return;
  yield {
    code: "OLD_POSTGRES",
    message: `The server is PostgreSQL ${version ?? major}: it works, and takes longer to end many jobs at once`,
    advice: `run PostgreSQL ${betterPostgres} or newer`,
  };
}
