import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import { type Log, silent } from "../log.ts";
import type { Program } from "../process/guard.ts";
import { ourselves } from "../process/identity.ts";
import { freePort, host, returnPort } from "../process/ports.ts";
import { choosePrivateFolder } from "../process/private-folder.ts";
import { ServerProcess } from "../process/server-process.ts";
import { findNats } from "./installation.ts";

/** A NATS server of our own, with JetStream on disk, that ends with this process, however that ends. */
export interface EmbeddedNats {
  /** nats://127.0.0.1:port */
  readonly url: string;
  readonly pid: number;
  readonly version: string;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

const startTimeoutMs = 20_000;
const mostTries = 10;

/**
 * Starts a private NATS server with JetStream on a free port of 127.0.0.1. Throws NATS_NOT_FOUND when there is none and none can be had.
 *
 * @example
 * const nats = await startNats();
 * await nats.stop();
 */
export async function startNats(options: { readonly log?: Log } = {}): Promise<EmbeddedNats> {
  const { command, env, version } = await findNats(options.log ?? silent);
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const folder = choosePrivateFolder("nats", undefined, ourselves);
    const configFile = join(folder, "nats.conf");
    const config = `listen: "${host}:${port}"\njetstream { store_dir: ${JSON.stringify(join(folder, "data"))} }\n`;
    const server = new ServerProcess({
      folder,
      removeFolder: true,
      logFile: join(folder, "server.log"),
      identity: ourselves,
      prepare: () => writeFileSync(configFile, config, { mode: 0o600 }),
    });
    const program: Program = { command, args: ["--config", configFile], env, stopSignal: "KILL" };
    const stop = async (): Promise<void> => {
      await server.kill();
      await server.release();
      returnPort(port);
    };
    try {
      await server.start(program, { isReady: () => greets(port), timeoutMs: startTimeoutMs });
      return { url: `nats://${host}:${port}`, pid: server.pid, version, stop };
    } catch (error) {
      await stop();
      if (!(error instanceof EmbeddedError) || error.code !== "PORT_IN_USE" || tries === mostTries) throw error;
    }
  }
}

/** Whether a NATS server with JetStream is at the port: it says so before it is asked. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const answer = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(1_000, () => answer(false));
    socket.on("error", () => answer(false));
    socket.on("close", () => answer(false));
    socket.once("data", (greeting) => answer(greeting.toString().includes('"jetstream":true')));
  });
}
