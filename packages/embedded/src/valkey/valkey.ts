import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { type Log, silent } from "../log.ts";
import { ourselves } from "../process/identity.ts";
import { freePort, host } from "../process/ports.ts";
import { choosePrivateFolder } from "../process/private-folder.ts";
import type { EmbeddedValkey } from "./embedded-valkey.ts";
import { findValkey, type ValkeyInstallation } from "./installation.ts";
import { ValkeyServer } from "./server.ts";

export interface ValkeyOptions {
  /** The folder to work in; it is kept. Without it, a folder of its own that goes with the server. */
  readonly dir?: string;
  readonly port?: number;
  /** Whether the data outlives a restart: append-only file, written to disk every second. Default false. */
  readonly persistence?: boolean;
  /** More directives, with values as they stand in valkey.conf. */
  readonly config?: Readonly<Record<string, string>>;
  readonly unixSocket?: boolean;
  readonly log?: Log;
}

/**
 * Starts a private Valkey on a free port of 127.0.0.1. Throws VALKEY_NOT_FOUND when there is none and none can be installed.
 *
 * @example
 * const valkey = await startValkey({ log: console.log });
 * console.log(valkey.url);
 * await valkey.stop();
 */
export async function startValkey(options: ValkeyOptions = {}): Promise<EmbeddedValkey> {
  const { log = silent } = options;
  const server = await launchValkey(options, await findValkey(log));
  log(`Valkey: ${server.source}, on port ${server.port}`);
  return server;
}

/** How a server differs from a plain one: `directives` are asked for again whenever another port has to be tried. */
export interface ValkeyRole {
  readonly args: readonly string[];
  directives(): Promise<Readonly<Record<string, string>>>;
}

const plain: ValkeyRole = { args: [], directives: () => Promise.resolve({}) };

export async function launchValkey(
  options: ValkeyOptions,
  installation: ValkeyInstallation,
  role: ValkeyRole = plain,
): Promise<ValkeyServer> {
  for (let tries = 1; ; tries++) {
    const directives = await role.directives();
    const server = placeServer(options, installation, { port: options.port ?? (await freePort()), directives, args: role.args });
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      const isTaken = error instanceof EmbeddedError && error.code === "PORT_IN_USE";
      if (!isTaken || options.port !== undefined || tries === 10) throw error;
    }
  }
}

interface Placement {
  readonly port: number;
  readonly directives: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

function placeServer(options: ValkeyOptions, installation: ValkeyInstallation, { port, directives, args }: Placement): ValkeyServer {
  const folder = choosePrivateFolder("valkey", options.dir, ourselves);
  const socketPath = options.unixSocket ? join(folder, "valkey.sock") : undefined;
  const persistence = options.persistence ? { save: '""', appendonly: "yes", appendfsync: "everysec" } : { save: '""', appendonly: "no" };
  const config: Readonly<Record<string, string>> = {
    bind: host,
    port: String(port),
    dir: JSON.stringify(folder),
    ...persistence,
    ...(socketPath === undefined ? {} : { unixsocket: JSON.stringify(socketPath), unixsocketperm: "700" }),
    ...directives,
    ...options.config,
  };
  const configFile = join(folder, "valkey.conf");
  const lines = Object.entries(config).map(([name, value]) => `${name} ${value}\n`);
  return new ValkeyServer({
    installation,
    port,
    socketPath,
    folder,
    args: [configFile, ...args],
    prepare: () => writeFileSync(configFile, lines.join(""), { mode: 0o600 }),
    keepFolder: options.dir !== undefined,
    isPersistent: options.persistence ?? false,
    password: options.config?.["requirepass"],
  });
}
