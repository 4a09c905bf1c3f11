import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { cacheFolderFor } from "../install/cache.ts";
import { findProgram } from "../install/debian-program.ts";
import { type Log, silent } from "../log.ts";
import { runCommand } from "../process/command.ts";
import type { Program } from "../process/guard.ts";
import { unprivilegedIdentity } from "../process/identity.ts";
import { checkPlatform } from "../process/platform.ts";
import { freePort, host, isListening, returnPort } from "../process/ports.ts";
import { choosePrivateFolder } from "../process/private-folder.ts";
import { ServerProcess } from "../process/server-process.ts";

/** A PgBouncer of our own, before one database, that ends with this process, however that ends. */
export interface EmbeddedPgBouncer {
  /** Of the same database, through it. */
  readonly url: string;
  readonly version: string;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export interface PgBouncerOptions {
  /** Of the database behind it, with user and password. */
  readonly target: string;
  /** More settings, as in pgbouncer.ini. Without them it pools transactions. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log?: Log;
}

const startTimeoutMs = 20_000;
const mostTries = 10;

/**
 * Starts a private PgBouncer in transaction mode on a free port of 127.0.0.1. Throws PGBOUNCER_NOT_FOUND when there is none and none can be had.
 *
 * @example
 * const pgBouncer = await startPgBouncer({ target: await postgres.createDatabase("shop") });
 * await pgBouncer.stop();
 */
export async function startPgBouncer({ target, settings = {}, log = silent }: PgBouncerOptions): Promise<EmbeddedPgBouncer> {
  checkPlatform();
  // It refuses to run as root, as PostgreSQL does.
  const identity = unprivilegedIdentity();
  const { command, env } = await findProgram({ name: "pgbouncer", code: "PGBOUNCER_NOT_FOUND", log, folder: cacheFolderFor(identity) });
  const version = /PgBouncer (\S+)/.exec(await runCommand(command, ["--version"], { env }))?.[1] ?? "unknown";
  const database = new URL(target);
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const folder = choosePrivateFolder("pgbouncer", undefined, identity);
    const configFile = join(folder, "pgbouncer.ini");
    const server = new ServerProcess({
      folder,
      removeFolder: true,
      logFile: join(folder, "server.log"),
      identity,
      prepare: () => writeFileSync(configFile, configuration(database, { port: String(port), settings }), { mode: 0o644 }),
    });
    const program: Program = { command, args: [configFile], env, stopSignal: "KILL" };
    const stop = async (): Promise<void> => {
      await server.kill();
      await server.release();
      returnPort(port);
    };
    try {
      await server.start(program, { isReady: () => isListening(port), timeoutMs: startTimeoutMs });
      const url = new URL(target);
      url.host = `${host}:${port}`;
      return { url: url.href, version, stop };
    } catch (error) {
      await stop();
      if (!(error instanceof EmbeddedError) || error.code !== "PORT_IN_USE" || tries === mostTries) throw error;
    }
  }
}

// Whoever comes is let in as the user of the target: it listens for this machine alone.
function configuration(target: URL, { port, settings }: { port: string; settings: Readonly<Record<string, string>> }): string {
  const behind = { host: target.hostname, port: target.port, user: target.username, password: decodeURIComponent(target.password) };
  const all = {
    listen_addr: host,
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: "transaction",
    max_client_conn: "200",
    ...settings,
  };
  const database = Object.entries(behind).map(([name, value]) => `${name}='${value}'`);
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  return `[databases]\n* = ${database.join(" ")}\n[pgbouncer]\n${lines.join("\n")}\n`;
}
