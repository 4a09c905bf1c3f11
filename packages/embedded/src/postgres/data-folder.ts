import { appendFileSync, chmodSync, chownSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Identity } from "../process/identity.ts";
import { removeFolder } from "../process/private-folder.ts";
import type { ServerProcess } from "../process/server-process.ts";

export const superuser = "postgres";

interface Creation {
  readonly initdb: string;
  readonly process: ServerProcess;
  /** Whether the files have to survive a power cut right after they are made. */
  readonly isPersistent: boolean;
}

/** The files of one PostgreSQL: its data, the password of its superuser and the settings of ours that its own configuration includes. */
export class DataFolder {
  readonly data: string;
  readonly password: string;
  readonly #identity: Identity;
  readonly #passwordFile: string;
  readonly #settingsFile: string;

  constructor(folder: string, identity: Identity) {
    this.data = join(folder, "data");
    this.#identity = identity;
    this.#passwordFile = join(folder, "password");
    this.#settingsFile = join(folder, "keyline.conf");
    this.password = this.hasData ? readFileSync(this.#passwordFile, "utf8") : randomBytes(24).toString("base64url");
  }

  get hasData(): boolean {
    return existsSync(join(this.data, "PG_VERSION"));
  }

  /** Writes the password, which initdb wants to read from a file. */
  prepare(): void {
    const { uid, gid } = this.#identity.ids;
    writeFileSync(this.#passwordFile, this.password, { mode: 0o600 });
    if (uid !== undefined && gid !== undefined) chownSync(this.#passwordFile, uid, gid);
  }

  /** Makes the data. They get their name when they are complete: what an interrupted attempt left is no database. */
  async create({ initdb, process, isPersistent }: Creation): Promise<void> {
    const flags = ["--encoding=UTF8", "--locale=C", "--auth=password", `--username=${superuser}`, `--pwfile=${this.#passwordFile}`];
    if (!isPersistent) flags.push("--no-sync");
    const unfinished = `${this.data}.unfinished`;
    removeFolder(unfinished);
    // initdb waits for its own child before it ends. Without it, that child would lose the folder under its feet and leave a shared
    // memory segment behind.
    await process.run({ command: initdb, args: ["-D", unfinished, ...flags], env: cleanEnvironment(), stopSignal: "TERM" });
    appendFileSync(join(unfinished, "postgresql.conf"), `\ninclude = '../keyline.conf'\n`);
    renameSync(unfinished, this.data);
  }

  /** Takes effect at the next start. */
  writeSettings(settings: Readonly<Record<string, string>>): void {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
    writeFileSync(this.#settingsFile, lines.join(""));
    chmodSync(this.#settingsFile, 0o644);
  }

  /** Whether the server with this process id says that it takes connections. `pg_ctl --wait` looks at the same line. */
  isReady(pid: number): boolean {
    const lines = this.#pidFile();
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  }

  /** The shared memory segment that a server left behind when it was killed. */
  abandonedSegment(): string | undefined {
    return this.#pidFile()[6]?.trim().split(/\s+/)[1];
  }

  #pidFile(): readonly string[] {
    const file = join(this.data, "postmaster.pid");
    try {
      return readFileSync(file, "utf8").split("\n");
    } catch {
      // Not started yet, or stopped in order.
      return [];
    }
  }
}

/** Without what the caller's shell may hold for another PostgreSQL, and with messages in English. */
export function cleanEnvironment(): Readonly<Record<string, string | undefined>> {
  const foreign = Object.keys(process.env).filter((name) => name.startsWith("PG") || name.startsWith("LC_"));
  return { ...Object.fromEntries(foreign.map((name) => [name, undefined])), LC_ALL: "C" };
}
