export { findChromium } from "./chromium.ts";
export { EmbeddedError, type EmbeddedErrorCode } from "./errors.ts";
export type { Log } from "./log.ts";
export { type EmbeddedNats, startNats } from "./nats/nats.ts";
export { type EmbeddedPgBouncer, type PgBouncerOptions, startPgBouncer } from "./pgbouncer/pgbouncer.ts";
export { type EmbeddedPostgres, type PostgresOptions, startPostgres } from "./postgres/postgres.ts";
export { type EmbeddedValkeyCluster, startValkeyCluster, type ValkeyClusterOptions } from "./valkey/cluster.ts";
export { type EmbeddedValkeySentinel, startValkeySentinel, type ValkeySentinelOptions } from "./valkey/sentinel.ts";
export { type EmbeddedValkey, startValkey, type ValkeyOptions } from "./valkey/valkey.ts";
