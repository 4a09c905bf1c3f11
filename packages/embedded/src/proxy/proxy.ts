import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { findProgram } from "../install/debian-program.ts";
import { type Log, silent } from "../log.ts";
import { ourselves } from "../process/identity.ts";
import { checkPlatform } from "../process/platform.ts";
import { freePort, host, isListening, returnPort } from "../process/ports.ts";
import { choosePrivateFolder } from "../process/private-folder.ts";
import { ServerProcess } from "../process/server-process.ts";

export type ProxyProgram = "nginx" | "caddy" | "haproxy";

/** A proxy of our own that ends with this process, however that ends. */
export interface EmbeddedProxy {
  /** http://127.0.0.1:port */
  readonly url: string;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export interface ProxyOptions {
  readonly program: ProxyProgram;
  /** All of the program's configuration, which has it stay in the foreground, listen on `port`, and write nowhere but into `folder`. */
  readonly configuration: (place: { readonly port: number; readonly folder: string }) => string;
  readonly log?: Log;
}

const startTimeoutMs = 20_000;
const mostTries = 10;

const argsOf: Readonly<Record<ProxyProgram, (file: string, folder: string) => readonly string[]>> = {
  nginx: (file, folder) => ["-c", file, "-p", folder, "-e", "stderr"],
  caddy: (file) => ["run", "--config", file, "--adapter", "caddyfile"],
  haproxy: (file) => ["-db", "-f", file],
};

/**
 * Starts a private nginx, Caddy or HAProxy on a free port of 127.0.0.1. Throws PROXY_NOT_FOUND when there is none and none can be had.
 *
 * @example
 * const proxy = await startProxy({ program: "caddy", configuration: ({ port }) => `http://127.0.0.1:${port}\nrespond "Hello"\n` });
 * await proxy.stop();
 */
export async function startProxy({ program, configuration, log = silent }: ProxyOptions): Promise<EmbeddedProxy> {
  checkPlatform();
  const { command, env } = await findProgram({ name: program, code: "PROXY_NOT_FOUND", log });
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const folder = choosePrivateFolder(program, undefined, ourselves);
    const file = join(folder, "proxy.conf");
    const server = new ServerProcess({
      folder,
      removeFolder: true,
      logFile: join(folder, "server.log"),
      identity: ourselves,
      prepare: () => writeFileSync(file, configuration({ port, folder }), { mode: 0o600 }),
    });
    const stop = async (): Promise<void> => {
      await server.kill();
      await server.release();
      returnPort(port);
    };
    try {
      // Caddy keeps what it knows in the user's folders.
      const folders = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
      await server.start(
        { command, args: argsOf[program](file, folder), env: { ...env, ...folders }, stopSignal: "KILL" },
        { isReady: () => isListening(port), timeoutMs: startTimeoutMs },
      );
      return { url: `http://${host}:${port}`, stop };
    } catch (error) {
      await stop();
      if (!(error instanceof EmbeddedError) || error.code !== "PORT_IN_USE" || tries === mostTries) throw error;
    }
  }
}
