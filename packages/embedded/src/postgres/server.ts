import { host, returnPort } from "../process/ports.ts";
import { childrenOf } from "../process/children.ts";
import { runCommand } from "../process/command.ts";
import type { ServerProcess } from "../process/server-process.ts";
import { signalIfThere } from "../process/signals.ts";
import { cleanEnvironment, type DataFolder, superuser } from "./data-folder.ts";
import type { PostgresInstallation } from "./installation.ts";
import type { EmbeddedPostgres } from "./embedded-postgres.ts";
import { runStatement } from "./query.ts";

const startTimeoutMs = 60_000;
const stopGraceMs = 30_000;

interface PostgresServerOptions {
  readonly installation: PostgresInstallation;
  readonly process: ServerProcess;
  readonly folder: string;
  readonly files: DataFolder;
  readonly port: number;
  readonly keepFolder: boolean;
}

export class PostgresServer implements EmbeddedPostgres {
  readonly host = host;
  readonly user = superuser;
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly version: string;
  readonly source: string;
  readonly #options: PostgresServerOptions;
  readonly #process: ServerProcess;

  constructor(options: PostgresServerOptions) {
    this.#options = options;
    this.#process = options.process;
    this.port = options.port;
    this.url = this.#urlOf("postgres");
    this.dir = options.folder;
    this.version = options.installation.version;
    this.source = options.installation.source;
  }

  get pid(): number {
    return this.#process.pid;
  }

  async start(): Promise<void> {
    const { installation, files } = this.#options;
    const program = { command: installation.postgres, args: ["-D", files.data], env: cleanEnvironment(), stopSignal: "QUIT" } as const;
    const isReady = (): Promise<boolean> => Promise.resolve(files.isReady(this.pid));
    await this.#process.start(program, { isReady, timeoutMs: startTimeoutMs });
  }

  async createDatabase(name: string): Promise<string> {
    const login = { port: this.port, user: superuser, password: this.#options.files.password };
    await runStatement(login, `CREATE DATABASE "${name.replaceAll('"', '""')}"`);
    return this.#urlOf(name);
  }

  async kill(): Promise<void> {
    if (!this.#process.isRunning) return;
    // Its sessions would go on with their statement for a while if only the server itself were killed. Frozen, it starts no new ones.
    this.#process.signal("SIGSTOP");
    for (const child of await childrenOf(this.pid)) signalIfThere(child, "SIGKILL");
    await this.#process.kill();
    await removeSegment(this.#options.files.abandonedSegment());
  }

  async restart(mode: "fast" | "immediate" = "fast"): Promise<void> {
    await this.#process.halt(mode === "fast" ? "SIGINT" : "SIGQUIT", stopGraceMs);
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#process.halt(this.#options.keepFolder ? "SIGINT" : "SIGQUIT", stopGraceMs);
    await this.#process.release();
    returnPort(this.port);
  }

  #urlOf(database: string): string {
    const { password } = this.#options.files;
    return `postgresql://${superuser}:${password}@${host}:${this.port}/${encodeURIComponent(database)}`;
  }
}

/** Nobody is attached to it any more. A tidy machine is worth an attempt, not an error. */
async function removeSegment(id: string | undefined): Promise<void> {
  if (id !== undefined) await runCommand("ipcrm", ["-m", id]).catch(() => undefined);
}
