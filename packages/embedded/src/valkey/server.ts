import { join } from "node:path";
import { EmbeddedError } from "../errors.ts";
import type { Program } from "../process/guard.ts";
import { ourselves } from "../process/identity.ts";
import { host, returnPort } from "../process/ports.ts";
import { ServerProcess } from "../process/server-process.ts";
import { delay } from "../process/waiting.ts";
import type { ValkeyInstallation } from "./installation.ts";
import { request } from "./resp.ts";
import type { EmbeddedValkey } from "./embedded-valkey.ts";

const startTimeoutMs = 20_000;
const stopGraceMs = 5_000;

interface ValkeyServerOptions {
  readonly installation: ValkeyInstallation;
  readonly port: number;
  readonly socketPath: string | undefined;
  readonly folder: string;
  readonly args: readonly string[];
  readonly prepare: () => void;
  readonly keepFolder: boolean;
  readonly isPersistent: boolean;
  readonly password: string | undefined;
}

export class ValkeyServer implements EmbeddedValkey {
  readonly url: string;
  readonly host = host;
  readonly port: number;
  readonly socketPath?: string;
  readonly dir: string;
  readonly version: string;
  readonly source: string;
  readonly #process: ServerProcess;
  readonly #program: Program;
  readonly #isPersistent: boolean;
  readonly #password: string | undefined;

  constructor(options: ValkeyServerOptions) {
    const { installation, port, socketPath, folder } = options;
    this.port = port;
    this.url = `valkey://${host}:${port}`;
    if (socketPath !== undefined) this.socketPath = socketPath;
    this.dir = folder;
    this.version = installation.version;
    this.source = installation.source;
    this.#isPersistent = options.isPersistent;
    this.#password = options.password;
    this.#process = new ServerProcess({
      folder,
      removeFolder: !options.keepFolder,
      logFile: join(folder, "server.log"),
      identity: ourselves,
      prepare: options.prepare,
    });
    this.#program = { command: installation.command, args: options.args, env: installation.env, stopSignal: "KILL" };
  }

  get pid(): number {
    return this.#process.pid;
  }

  async start(): Promise<void> {
    await this.#process.start(this.#program, { isReady: () => this.#isReady(), timeoutMs: startTimeoutMs });
  }

  kill(): Promise<void> {
    return this.#process.kill();
  }

  async restart(): Promise<void> {
    await this.#halt();
    for (let tries = 1; ; tries++) {
      try {
        return await this.start();
      } catch (error) {
        // Somebody else's connection may have the port for a moment.
        const isTaken = error instanceof EmbeddedError && error.code === "PORT_IN_USE";
        if (!isTaken || tries === 20) throw error;
        await delay(100);
      }
    }
  }

  pause(): void {
    this.#process.signal("SIGSTOP");
  }

  resume(): void {
    this.#process.signal("SIGCONT");
  }

  async stop(): Promise<void> {
    await this.#halt();
    await this.#process.release();
    returnPort(this.port);
  }

  /** Only a server with data to keep is asked politely: the others may wait for replicas that are gone. */
  #halt(): Promise<void> {
    return this.#isPersistent ? this.#process.halt("SIGTERM", stopGraceMs) : this.#process.kill();
  }

  /** Compares process ids: another server may have been faster to take the port and would answer a PING just as well. */
  async #isReady(): Promise<boolean> {
    try {
      const exchange = { port: this.port, password: this.#password };
      const info = await request(exchange, "INFO", "server");
      if (!String(info).includes(`process_id:${this.pid}\r\n`)) return false;
      return (await request(exchange, "PING")) === "PONG";
    } catch {
      // Not listening yet, or still loading its data: the caller asks again until its deadline.
      return false;
    }
  }
}
