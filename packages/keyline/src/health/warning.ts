export type HealthWarningCode =
  | "VALKEY_AWAY"
  | "POSTGRES_AWAY"
  | "EVICTION"
  | "KEYS_EVICTED"
  | "MEMORY_NEARLY_FULL"
  | "NO_PERSISTENCE"
  | "PERSISTENCE_UNKNOWN"
  | "PERSISTENCE_FAILING"
  | "FSYNC_OFF"
  | "COMMIT_NOT_SYNCHRONOUS"
  | "CONNECTIONS_NEARLY_USED"
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

/** What endangers nothing, and could be better. */
export interface HealthNote {
  readonly code: "OLD_VALKEY" | "OLD_POSTGRES";
  readonly message: string;
  readonly advice: string;
}

/** From this share on what has an end is told to be nearly used up. */
export const nearlyAll = 0.9;

const skewMs = 1_000;

export function warning(code: HealthWarningCode, message: string, advice: string): HealthWarning {
  return { code, message, advice };
}

export function* skewWarning(store: string, aheadMs: number): Iterable<HealthWarning> {
  if (Math.abs(aheadMs) <= skewMs) return;
  const message = `The clock of ${store} is ${Math.abs(aheadMs)} ms ${aheadMs > 0 ? "ahead of" : "behind"} the one of this process`;
  yield warning("CLOCK_SKEW", message, "have both machines keep their time by NTP: due times and ages are off by as much");
}

/** How many connections a server has, of everybody, and how many it takes. */
interface ServerConnections {
  readonly used: number;
  readonly max: number | undefined;
}

export function* connectionsWarning(store: string, connections: ServerConnections | undefined, advice: string): Iterable<HealthWarning> {
  if (connections?.max === undefined || connections.used <= nearlyAll * connections.max) return;
  const message = `${store} has ${connections.used} connections, and takes ${connections.max} at the most: it refuses whoever comes then`;
  yield warning("CONNECTIONS_NEARLY_USED", message, advice);
}
