import type { Health as KeylineHealth } from "keyline";
import type { Health } from "../api/health.ts";

/** What the library says of its stores, as the page has it. */
export function toHealth({ at, valkey, postgres, warnings, notes }: KeylineHealth): Health {
  return {
    at,
    valkey: {
      state: valkey.state,
      version: valkey.version ?? null,
      roundTripMs: valkey.roundTripMs ?? null,
      usedBytes: valkey.memory?.usedBytes ?? null,
      maxBytes: valkey.memory?.maxBytes ?? null,
      policy: valkey.memory?.policy ?? null,
      persistence: describePersistence(valkey.persistence),
      role: valkey.role ?? null,
      evictedKeys: valkey.evictedKeys ?? null,
      isCluster: valkey.isCluster ?? null,
      clockSkewMs: valkey.clockSkewMs ?? null,
    },
    postgres: {
      state: postgres.state,
      version: postgres.version ?? null,
      roundTripMs: postgres.roundTripMs ?? null,
      migration: postgres.migration ? { at: postgres.migration.at, newest: postgres.migration.newest } : null,
      pool: postgres.pool ? { size: postgres.pool.size, busy: postgres.pool.busy, waiting: postgres.pool.waiting } : null,
      relay: postgres.relay ? { backlog: postgres.relay.backlog ?? null, oldestMs: postgres.relay.oldestMs ?? null } : null,
    },
    warnings: warnings.map(({ code, message, advice }) => ({ code, message, advice })),
    notes: notes.map(({ code, message, advice }) => ({ code, message, advice })),
  };
}

function describePersistence(persistence: KeylineHealth["valkey"]["persistence"]): string | null {
  if (!persistence) return null;
  const { appendOnly, snapshots, isFailing } = persistence;
  const how = appendOnly ? "log" : snapshots === undefined ? "unknown" : snapshots ? "snapshots" : "none";
  return isFailing ? `${how}, failing` : how;
}
