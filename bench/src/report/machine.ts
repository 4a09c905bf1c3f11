import { readFileSync } from "node:fs";
import { join } from "node:path";
import { availableParallelism, cpus, release, totalmem, type as systemType } from "node:os";
import type { Servers } from "../servers/servers.ts";

export interface Machine {
  readonly date: string;
  /** What is reported is the median of so many. */
  readonly rounds: number;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly valkey: string;
  readonly postgres: string;
  readonly durability: string;
  readonly packages: Readonly<Record<string, string>>;
}

const packages = [
  "keyline",
  "bullmq",
  "bee-queue",
  "pg-boss",
  "graphile-worker",
  "socket.io",
  "@socket.io/redis-adapter",
  "iovalkey",
  "ioredis",
  "pg",
  "@nats-io/jetstream",
  "@event-driven-io/emmett-postgresql",
];

/** Everything without which a figure means nothing. */
export async function describeMachine(servers: Servers, rounds: number): Promise<Machine> {
  const postgres = await servers.postgresSettings();
  return {
    date: new Date().toISOString().slice(0, 10),
    rounds,
    cpu: cpus()[0]?.model.trim() || "unknown CPU",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${systemType()} ${release()}`,
    node: process.versions.node,
    valkey: await servers.valkeyVersion(),
    postgres: postgres.version,
    durability: postgres.durability,
    packages: versionsOf(packages),
  };
}

export function machineLine(machine: Machine): string {
  const { date, rounds, cpu, cores, memoryGiB, node, valkey, postgres } = machine;
  const count = `${rounds} ${rounds === 1 ? "round" : "rounds"}`;
  return `${date} · ${count} · ${cpu}, ${cores} cores, ${memoryGiB} GiB · Node ${node}, Valkey ${valkey}, PostgreSQL ${postgres}`;
}

function versionsOf(names: readonly string[]): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of names) {
    const version = versionOf(name);
    if (version !== undefined) versions[name] = version;
  }
  return versions;
}

/** Read from the folder, since not every package lets its package.json be imported. */
function versionOf(name: string): string | undefined {
  for (const root of ["../../node_modules", "../../../node_modules"]) {
    try {
      const manifest: { version?: string } = JSON.parse(readFileSync(join(import.meta.dirname, root, name, "package.json"), "utf8"));
      return manifest.version;
    } catch {
      // Not in this folder: it may be in the next, or an optional package that is not installed.
    }
  }
  return undefined;
}
