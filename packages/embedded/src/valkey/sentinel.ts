import { type Log, silent } from "../log.ts";
import { host } from "../process/ports.ts";
import { until } from "../process/waiting.ts";
import { startTogether, stopTogether } from "./group.ts";
import { findValkey } from "./installation.ts";
import { request } from "./resp.ts";
import type { ValkeyServer } from "./server.ts";
import type { EmbeddedValkey } from "./embedded-valkey.ts";
import { launchValkey, type ValkeyRole } from "./valkey.ts";

/** A primary with one replica, watched by three sentinels, two of which have to agree on a failover. */
export interface EmbeddedValkeySentinel {
  /** The server that was started as the primary, whatever it is after a failover. */
  readonly primary: EmbeddedValkey;
  readonly replica: EmbeddedValkey;
  readonly sentinels: readonly EmbeddedValkey[];
  /** What the sentinels call the primary. */
  readonly name: "keyline";
  stop(): Promise<void>;
}

export interface ValkeySentinelOptions {
  /** Whether the data of primary and replica outlives a restart. Default false. */
  readonly persistence?: boolean;
  /** More directives for primary and replica. */
  readonly config?: Readonly<Record<string, string>>;
  readonly log?: Log;
}

const name = "keyline";
const sentinelCount = 3;
const replication = { "repl-diskless-sync-delay": "0" };

/** Starts all five; resolves when every sentinel knows the replica and the other sentinels, so that a failover can happen. */
export async function startValkeySentinel(options: ValkeySentinelOptions = {}): Promise<EmbeddedValkeySentinel> {
  const { log = silent } = options;
  const installation = await findValkey(log);
  const started: ValkeyServer[] = [];
  const launch = async (config: Readonly<Record<string, string>>): Promise<ValkeyServer> => {
    const server = await launchValkey({ ...options, config: { ...replication, ...config, ...options.config } }, installation);
    started.push(server);
    return server;
  };
  try {
    const primary = await launch({});
    const replica = await launch({ replicaof: `${host} ${primary.port}` });
    await until("the replica follows the primary", () => isInSync(replica));
    const launches = Array.from({ length: sentinelCount }, () => launchValkey({}, installation, sentinelRole(primary)));
    const sentinels = await startTogether(launches);
    started.push(...sentinels);
    for (const sentinel of sentinels) await until("the sentinels know each other and the replica", () => isComplete(sentinel));
    log(`Valkey Sentinel: ${installation.source}, sentinels on ports ${sentinels.map((sentinel) => sentinel.port).join(", ")}`);
    return { primary, replica, sentinels, name, stop: () => stopTogether(started) };
  } catch (error) {
    await stopTogether(started);
    throw error;
  }
}

function sentinelRole(primary: ValkeyServer): ValkeyRole {
  const directives = {
    "sentinel monitor": `${name} ${host} ${primary.port} 2`,
    "sentinel down-after-milliseconds": `${name} 1500`,
    "sentinel failover-timeout": `${name} 3000`,
  };
  return { args: ["--sentinel"], directives: () => Promise.resolve(directives) };
}

async function isInSync(replica: ValkeyServer): Promise<boolean> {
  return String(await request(replica, "INFO", "replication")).includes("master_link_status:up");
}

/** SENTINEL MASTER answers with names and values in turn. */
async function isComplete(sentinel: ValkeyServer): Promise<boolean> {
  const reply = await request(sentinel, "SENTINEL", "MASTER", name);
  const words = Array.isArray(reply) ? reply.map(String) : [];
  const valueOf = (field: string): string | undefined => words[words.indexOf(field) + 1];
  const knowsAll = valueOf("num-slaves") === "1" && valueOf("num-other-sentinels") === String(sentinelCount - 1);
  return knowsAll && valueOf("flags") === "master";
}
