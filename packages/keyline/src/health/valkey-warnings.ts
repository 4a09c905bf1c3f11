import { compareVersions, type ValkeyHealth } from "./valkey-health.ts";
import { connectionsWarning, nearlyAll, skewWarning, warning, type HealthNote, type HealthWarning } from "./warning.ts";

export interface ValkeySeen {
  readonly health: ValkeyHealth;
  readonly isInfoRefused: boolean;
  /** What Keyline uses and this user may not, in words of the server's rules. */
  readonly refused: readonly string[];
}

/** Older ones work: their makers mend them no more, or soon will not. */
export const betterServers = { Valkey: "8.0", Redis: "7.2" } as const;

const mostNamed = 6;

export function* valkeyWarnings({ health, isInfoRefused, refused }: ValkeySeen): Iterable<HealthWarning> {
  const { state, error, memory, persistence, evictedKeys = 0, connections, clockSkewMs = 0 } = health;
  if (state === "away") {
    yield warning(
      "VALKEY_AWAY",
      `Valkey is away: ${error ?? ""}`,
      "start it, or mend what the message names; jobs that are rows in PostgreSQL wait there",
    );
    return;
  }
  yield* rightsWarnings(isInfoRefused, refused);
  if (memory && memory.policy !== "noeviction") {
    const message = `Valkey throws keys away when its memory is full (maxmemory-policy is ${memory.policy}): jobs, messages and events would be gone`;
    yield warning("EVICTION", message, "set maxmemory-policy to noeviction");
  }
  if (evictedKeys > 0) {
    const advice = "give it more memory and set maxmemory-policy to noeviction; what was transactional comes back from PostgreSQL";
    yield warning("KEYS_EVICTED", `Valkey has thrown ${evictedKeys} keys away since it started`, advice);
  }
  if (memory && memory.maxBytes > 0 && memory.usedBytes > nearlyAll * memory.maxBytes) {
    const used = `${Math.round((100 * memory.usedBytes) / memory.maxBytes)} %`;
    yield warning(
      "MEMORY_NEARLY_FULL",
      `Valkey uses ${used} of its maxmemory; when it is full it refuses to take jobs`,
      "raise maxmemory, or keep less",
    );
  }
  if (persistence) yield* persistenceWarnings(persistence);
  yield* connectionsWarning("Valkey", connections, "raise maxclients, or look who has opened so many");
  yield* skewWarning("Valkey", clockSkewMs);
}

function* rightsWarnings(isInfoRefused: boolean, refused: readonly string[]): Iterable<HealthWarning> {
  if (isInfoRefused) {
    yield warning(
      "RIGHTS_MISSING",
      "This user of Valkey may not use INFO, so memory, persistence and version are not known",
      "give it +info",
    );
  }
  if (refused.length > 0) {
    const named = refused.length > mostNamed ? [...refused.slice(0, mostNamed), `${refused.length - mostNamed} more`] : refused;
    const message = `This user of Valkey may not use ${named.join(", ")}: whatever needs that fails`;
    yield warning("RIGHTS_MISSING", message, "give it the rights that the guide names");
  }
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

export function* valkeyNotes({ health: { server, version } }: ValkeySeen): Iterable<HealthNote> {
  if ((server !== "Valkey" && server !== "Redis") || version === undefined) return;
  if (compareVersions(version, betterServers[server]) >= 0) return;
  yield {
    code: "OLD_VALKEY",
    message: `The server is ${server} ${version}: it works, and its makers mend it no more, or soon will not`,
    advice: "run Valkey 8 or newer, at its current patch release",
  };
}
