import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { type Log, silent } from "../log.ts";
import { unprivilegedIdentity } from "../process/identity.ts";
import { checkPlatform } from "../process/platform.ts";
import { freePort, host } from "../process/ports.ts";
import { choosePrivateFolder } from "../process/private-folder.ts";
import { ServerProcess } from "../process/server-process.ts";
import { DataFolder } from "./data-folder.ts";
import type { EmbeddedPostgres } from "./embedded-postgres.ts";
import { findPostgres } from "./installation.ts";
import { PostgresServer } from "./server.ts";

export interface PostgresOptions {
  /** The folder to work in. Without it, a folder of its own. */
  readonly dir?: string;
  readonly port?: number;
  /** More settings, as in postgresql.conf. Without them PostgreSQL's own defaults hold, those of durability above all. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether `stop` leaves the folder. Default: true with `dir`, false without. */
  readonly persistent?: boolean;
  readonly log?: Log;
}

const ourSettings = {
  listen_addresses: host,
  unix_socket_directories: "",
  max_connections: "200",
  // In the data folder and gone with it: files in /dev/shm would stay when the server is killed, and containers have little of it.
  dynamic_shared_memory_type: "mmap",
};

/**
 * Starts a private PostgreSQL on a free port of 127.0.0.1, as another user when we are root. Throws POSTGRES_NOT_FOUND when there is none.
 *
 * @example
 * const postgres = await startPostgres({ log: console.log });
 * console.log(await postgres.createDatabase("shop"));
 * await postgres.stop();
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<EmbeddedPostgres> {
  checkPlatform();
  const { log = silent } = options;
  const identity = unprivilegedIdentity();
  const installation = await findPostgres(identity, log);
  const keepFolder = options.persistent ?? options.dir !== undefined;
  const folder = choosePrivateFolder("postgres", options.dir, identity);
  const files = new DataFolder(folder, identity);
  const process = new ServerProcess({
    folder,
    identity,
    removeFolder: !keepFolder,
    logFile: join(folder, "server.log"),
    prepare: () => files.prepare(),
  });
  try {
    if (!files.hasData) await files.create({ initdb: installation.initdb, process, isPersistent: keepFolder });
    const server = await startOnFreePort(
      options,
      files,
      (port) => new PostgresServer({ installation, process, folder, files, port, keepFolder }),
    );
    log(`PostgreSQL: ${server.source}, on port ${server.port}`);
    return server;
  } catch (error) {
    await process.release();
    throw error;
  }
}

async function startOnFreePort(
  options: PostgresOptions,
  files: DataFolder,
  serverOn: (port: number) => PostgresServer,
): Promise<PostgresServer> {
  for (let tries = 1; ; tries++) {
    const port = options.port ?? (await freePort());
    files.writeSettings({ ...ourSettings, ...options.settings, port: String(port) });
    const server = serverOn(port);
    try {
      await server.start();
      return server;
    } catch (error) {
      const isTaken = error instanceof EmbeddedError && error.code === "PORT_IN_USE";
      if (!isTaken || options.port !== undefined || tries === 10) throw error;
    }
  }
}
