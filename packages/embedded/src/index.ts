export { EmbeddedError, type EmbeddedErrorCode } from "./errors.ts";
export { type EmbeddedPostgres, type PostgresOptions, startPostgres } from "./postgres/postgres.ts";
export { type EmbeddedValkey, startValkey, type ValkeyOptions } from "./valkey/valkey.ts";
