import type { ServerReport } from "../valkey/client/server-report.ts";

/** Of a cluster: the sums of its primaries, and the worst of each setting. What this user may not ask for is undefined. */
export interface ValkeyHealth {
  readonly state: "ok" | "away";
  /** Why it is away. */
  readonly error: string | undefined;
  /** "Valkey", "Redis", or what else it calls itself. */
  readonly server: string | undefined;
  readonly version: string | undefined;
  readonly roundTripMs: number | undefined;
  readonly memory:
    | {
        readonly usedBytes: number;
        /** 0: no limit. */
        readonly maxBytes: number;
        /** What it does when its memory is full. */
        readonly policy: string;
      }
    | undefined;
  readonly persistence:
    | {
        /** It writes each change to a log (AOF). */
        readonly appendOnly: boolean;
        /** It writes snapshots (RDB); undefined where that cannot be told without the right to CONFIG. */
        readonly snapshots: boolean | undefined;
        /** The last snapshot, or the last write of the log, failed. */
        readonly isFailing: boolean;
      }
    | undefined;
  readonly role: "primary" | "replica" | undefined;
  /** Keys that were thrown away since the server started. */
  readonly evictedKeys: number | undefined;
  /** Connections that the server has, of everybody, and how many it takes. Of a cluster: of the primary that has the largest share of its own. */
  readonly connections: { readonly used: number; readonly max: number | undefined } | undefined;
  readonly isCluster: boolean;
  /** How many primaries a cluster has; 1 for a single server. */
  readonly servers: number;
  /** How far its clock is ahead of this process's, in milliseconds; 0 where the round trip took longer than that. */
  readonly clockSkewMs: number | undefined;
}

export const emptyValkeyHealth: ValkeyHealth = {
  state: "away",
  error: undefined,
  server: undefined,
  version: undefined,
  roundTripMs: undefined,
  memory: undefined,
  persistence: undefined,
  role: undefined,
  evictedKeys: undefined,
  connections: undefined,
  isCluster: false,
  servers: 0,
  clockSkewMs: undefined,
};

export function toValkeyHealth(servers: readonly ServerReport[], isCluster: boolean): ValkeyHealth {
  const informed = servers.filter(({ info }) => info.size > 0);
  const skews = servers.map(({ clockSkewMs }) => clockSkewMs);
  const health: ValkeyHealth = {
    ...emptyValkeyHealth,
    state: servers.length > 0 ? "ok" : "away",
    error: servers.length > 0 ? undefined : "The cluster has told of no primary yet",
    roundTripMs: servers.length > 0 ? Math.max(...servers.map(({ roundTripMs }) => roundTripMs)) : undefined,
    isCluster,
    servers: servers.length,
    clockSkewMs: skews.toSorted((one, other) => Math.abs(other) - Math.abs(one))[0],
  };
  return informed.length === 0 ? health : { ...health, ...toInfo(informed) };
}

function toInfo(servers: readonly ServerReport[]): Partial<ValkeyHealth> {
  const all = (name: string): string[] => servers.flatMap(({ info }) => info.get(name) ?? []);
  const sum = (name: string): number => all(name).reduce((total, value) => total + Number(value), 0);
  const isRedis = all("valkey_version").length === 0;
  const [name] = all("server_name");
  const versions = isRedis ? all("redis_version") : all("valkey_version");
  const snapshots = new Set(servers.map(hasSnapshots));
  return {
    server: isRedis ? (name ?? "Redis") : "Valkey",
    version: versions.toSorted(compareVersions)[0],
    memory: {
      usedBytes: sum("used_memory"),
      maxBytes: sum("maxmemory"),
      policy: all("maxmemory_policy").find((policy) => policy !== "noeviction") ?? "noeviction",
    },
    persistence: {
      appendOnly: all("aof_enabled").every((value) => value === "1"),
      snapshots: snapshots.has(false) ? false : snapshots.has(undefined) ? undefined : true,
      isFailing: [...all("rdb_last_bgsave_status"), ...all("aof_last_write_status")].some((status) => status !== "ok"),
    },
    role: all("role").every((role) => role === "master") ? "primary" : "replica",
    evictedKeys: sum("evicted_keys"),
    connections: servers.map(connectionsOf).toSorted((one, other) => shareOf(other) - shareOf(one))[0],
  };
}

function connectionsOf({ info }: ServerReport): { readonly used: number; readonly max: number | undefined } {
  const max = info.get("maxclients");
  return { used: Number(info.get("connected_clients") ?? 0), max: max === undefined ? undefined : Number(max) };
}

function shareOf({ used, max }: { readonly used: number; readonly max: number | undefined }): number {
  return used / (max ?? Infinity);
}

function hasSnapshots({ save, info }: ServerReport): boolean | undefined {
  if (save !== undefined) return save !== "";
  return Number(info.get("rdb_saves") ?? 0) > 0 ? true : undefined;
}

export function compareVersions(one: string, other: string): number {
  const [numbers, others] = [one, other].map((version) => version.split(".").map(Number)) as [number[], number[]];
  for (let index = 0; index < 3; index++) {
    const difference = (numbers[index] ?? 0) - (others[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
