import { appendFileSync, chmodSync, chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Identity } from "../process/identity.ts";
import type { ServerProcess } from "../process/server-process.ts";
import type { PostgresInstallation } from "./installation.ts";

export const superuser = "postgres";

interface DataFolderOptions {
  readonly folder: string;
  readonly installation: PostgresInstallation;
  readonly identity: Identity;
  readonly server: ServerProcess;
  /** Whether the files have to survive a power cut right after they are made. */
  readonly isPersistent: boolean;
}

/** The files of one PostgreSQL: its data, the password of its superuser and the settings of ours that its own configuration includes. */
export class DataFolder {
  readonly data: string;
  readonly password: string;
  readonly #settingsFile: string;

  private constructor(folder: string, password: string) {
    this.data = join(folder, "data");
    this.password = password;
    this.#settingsFile = join(folder, "keyline.conf");
  }

  /** Opens the folder, after making the data in it if there is none. */
  static async open({ folder, installation, identity, server, isPersistent }: DataFolderOptions): Promise<DataFolder> {
    const passwordFile = join(folder, "password");
    if (existsSync(join(folder, "data", "PG_VERSION"))) return new DataFolder(folder, readFileSync(passwordFile, "utf8"));
    const created = new DataFolder(folder, randomBytes(24).toString("base64url"));
    writeFileSync(passwordFile, created.password, { mode: 0o600 });
    giveTo(identity, passwordFile);
    const flags = ["--encoding=UTF8", "--locale=C", "--auth=password", `--username=${superuser}`, `--pwfile=${passwordFile}`];
    if (!isPersistent) flags.push("--no-sync");
    await server.run({ command: installation.initdb, args: ["-D", created.data, ...flags], env: cleanEnvironment() });
    appendFileSync(join(created.data, "postgresql.conf"), `\ninclude = '../keyline.conf'\n`);
    return created;
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

function giveTo(identity: Identity, file: string): void {
  const { uid, gid } = identity.ids;
  if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
}
