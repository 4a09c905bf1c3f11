import { performance } from "../../runtime/clock.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { Database } from "./database.ts";
import { migrations } from "./migrate.ts";
import { findMissingRight } from "./rights.ts";
import type { Statement } from "./statement.ts";

/** How PostgreSQL stands with Keyline. */
export interface DatabaseReport {
  /** As the server names it. */
  readonly version: string;
  readonly major: number;
  readonly roundTripMs: number;
  readonly clockSkewMs: number;
  /** How many migrations were made; undefined where this role may not look. */
  readonly migratedTo: number | undefined;
  /** What is committed and nobody is known to have brought to Valkey; undefined without the schema, or without the right to look. */
  readonly undelivered: { readonly count: number; readonly oldestMs: number | undefined } | undefined;
  /** Settings on which it depends whether a COMMIT outlives a crash, as they are for this role; undefined where it may not look. */
  readonly durability: { readonly fsync: boolean; readonly fullPageWrites: boolean; readonly synchronousCommit: string } | undefined;
  /** How many connections the server has, of everybody, and how many it takes of roles that are no superusers; undefined where this one may not look. */
  readonly connections: { readonly used: number; readonly max: number } | undefined;
  /** The first right that this role lacks. */
  readonly missingRight: string | undefined;
}

/** How many migrations this library knows. */
export const newestMigration = migrations.length;

/** Counting ends there. */
const mostUndelivered = 10_000;

const readServer: Statement = {
  name: "keyline-report-server",
  isQuick: true,
  text: `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer / 10000 AS major,
      (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms`,
};

// Not together with the above, by which the round trip and the clock are told. Of the sessions of others every role may see that they are there.
const readSettings: Statement = {
  name: "keyline-report-settings",
  isQuick: true,
  text: `SELECT current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes,
      current_setting('synchronous_commit') AS synchronous_commit,
      (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL)::integer AS used,
      current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) AS max`,
};

interface SettingsRow {
  readonly fsync: boolean;
  readonly full_page_writes: boolean;
  readonly synchronous_commit: string;
  readonly used: number;
  readonly max: number;
}

const readMigration: Statement = {
  name: "keyline-report-migration",
  isQuick: true,
  text: "SELECT coalesce(max(version), 0)::integer AS version FROM keyline.migration",
};

const readUndelivered: Statement = {
  name: "keyline-report-undelivered",
  isQuick: true,
  text: `SELECT count, (extract(epoch FROM clock_timestamp() - oldest) * 1000)::float8 AS oldest_ms FROM keyline.report_undelivered($1)`,
};

/** Throws what `Database.query` throws where PostgreSQL is away. */
export async function readDatabase(database: Database): Promise<DatabaseReport> {
  const begun = performance.now();
  const [server] = await database.query<{ version: string; major: number; now_ms: number }>(readServer, []);
  const roundTripMs = performance.now() - begun;
  const aheadMs = (server?.now_ms ?? 0) - (Date.now() - roundTripMs / 2);
  const found = await unlessRefused(database.query<SettingsRow>(readSettings, []));
  const settings = typeof found === "string" ? undefined : found[0];
  const migration = await unlessRefused(database.query<{ version: number }>(readMigration, []));
  const undelivered = await unlessRefused(database.query<{ count: number; oldest_ms: number | null }>(readUndelivered, [mostUndelivered]));
  const backlog = undelivered === "refused" || undelivered === "not migrated" ? undefined : undelivered[0];
  return {
    version: server?.version ?? "",
    major: server?.major ?? 0,
    roundTripMs,
    clockSkewMs: Math.abs(aheadMs) <= roundTripMs / 2 ? 0 : Math.round(aheadMs),
    migratedTo: migration === "refused" ? undefined : migration === "not migrated" ? 0 : (migration[0]?.version ?? 0),
    undelivered: backlog && {
      count: Math.min(backlog.count, mostUndelivered),
      oldestMs: backlog.oldest_ms === null ? undefined : Math.max(0, backlog.oldest_ms),
    },
    durability: settings && {
      fsync: settings.fsync,
      fullPageWrites: settings.full_page_writes,
      synchronousCommit: settings.synchronous_commit,
    },
    connections: settings && { used: settings.used, max: settings.max },
    missingRight: await findMissingRight(database),
  };
}

async function unlessRefused<Row>(rows: Promise<Row[]>): Promise<Row[] | "refused" | "not migrated"> {
  try {
    return await rows;
  } catch (error) {
    if (error instanceof KeylineError && error.code === "NOT_PERMITTED") return "refused";
    if (error instanceof KeylineError && error.code === "NOT_MIGRATED") return "not migrated";
    throw error;
  }
}
