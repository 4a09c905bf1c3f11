import { EmbeddedError } from "../errors.ts";
import { type Log, silent } from "../log.ts";
import { freePort, host } from "../process/ports.ts";
import { until } from "../process/waiting.ts";
import { startTogether, stopTogether } from "./group.ts";
import { findValkey } from "./installation.ts";
import { request } from "./resp.ts";
import type { ValkeyServer } from "./server.ts";
import type { EmbeddedValkey } from "./embedded-valkey.ts";
import { launchValkey, type ValkeyRole } from "./valkey.ts";

// Forming a cluster, in the order that the servers need: the primaries get their slots and an epoch each (so that they need not sort out
// a collision later), everybody meets the first node, and once all know each other the replicas choose their primaries.
// https://valkey.io/topics/cluster-tutorial/

/** A Valkey Cluster of our own: `nodes` 0 to 2 are the primaries, 3 to 5 their replicas, in the same order. */
export interface EmbeddedValkeyCluster {
  readonly nodes: readonly EmbeddedValkey[];
  stop(): Promise<void>;
}

export interface ValkeyClusterOptions {
  /** Whether the data of the nodes outlives a restart. Default false. */
  readonly persistence?: boolean;
  /** More directives for every node. A node that does not answer for `cluster-node-timeout` (1,500 ms here) is failed over. */
  readonly config?: Readonly<Record<string, string>>;
  readonly log?: Log;
}

const primaryCount = 3;
const nodeCount = 2 * primaryCount;
const slotCount = 16_384;

const clusterRole: ValkeyRole = {
  args: [],
  directives: async () => ({
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": "1500",
    "cluster-port": String(await freePort()),
    "repl-diskless-sync-delay": "0",
  }),
};

/** Starts three primaries and three replicas; resolves when every node sees the whole cluster and every replica follows its primary. */
export async function startValkeyCluster(options: ValkeyClusterOptions = {}): Promise<EmbeddedValkeyCluster> {
  const { log = silent } = options;
  const installation = await findValkey(log);
  const nodes = await startTogether(Array.from({ length: nodeCount }, () => launchValkey(options, installation, clusterRole)));
  try {
    await form(nodes);
  } catch (error) {
    await stopTogether(nodes);
    throw error;
  }
  log(`Valkey Cluster: ${installation.source}, on ports ${nodes.map((node) => node.port).join(", ")}`);
  return { nodes, stop: () => stopTogether(nodes) };
}

async function form(nodes: readonly ValkeyServer[]): Promise<void> {
  const primaries = nodes.slice(0, primaryCount);
  const replicas = nodes.slice(primaryCount);
  const [first] = nodes;
  if (first === undefined) throw new EmbeddedError("START_FAILED", "A cluster needs nodes");

  await Promise.all(nodes.map((node, index) => request(node, "CLUSTER", "SET-CONFIG-EPOCH", String(index + 1))));
  await Promise.all(primaries.map((node, index) => request(node, "CLUSTER", "ADDSLOTSRANGE", ...slotsOf(index))));
  const bus = await busPortOf(first);
  await Promise.all(nodes.slice(1).map((node) => request(node, "CLUSTER", "MEET", host, String(first.port), bus)));
  await until("all nodes of the cluster know each other", () => allAgree(nodes, hasMetAll));

  const ids = await Promise.all(primaries.map((node) => request(node, "CLUSTER", "MYID")));
  await Promise.all(replicas.map((node, index) => request(node, "CLUSTER", "REPLICATE", String(ids[index]))));
  await until("the replicas follow their primaries", () => allAgree(replicas, isInSync));
  await until("every node of the cluster sees all of it", () => allAgree(nodes, isComplete));
}

function slotsOf(primary: number): readonly [string, string] {
  const share = (index: number): number => Math.floor((slotCount * index) / primaryCount);
  return [String(share(primary)), String(share(primary + 1) - 1)];
}

/** "id host:port@busport flags ...": a node's line about itself is the one marked "myself". */
async function busPortOf(node: ValkeyServer): Promise<string> {
  return /@(\d+)\S* myself/.exec(await nodesSeenBy(node))?.[1] ?? "";
}

async function allAgree(nodes: readonly ValkeyServer[], test: (node: ValkeyServer) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(nodes.map(test))).every(Boolean);
}

async function hasMetAll(node: ValkeyServer): Promise<boolean> {
  const lines = (await nodesSeenBy(node)).trim().split("\n");
  return lines.length === nodeCount && lines.every((line) => !line.includes("handshake"));
}

async function isInSync(node: ValkeyServer): Promise<boolean> {
  return String(await request(node, "INFO", "replication")).includes("master_link_status:up");
}

async function isComplete(node: ValkeyServer): Promise<boolean> {
  const info = String(await request(node, "CLUSTER", "INFO"));
  const replicas = (await nodesSeenBy(node)).split("\n").filter((line) => / (myself,)?slave /.test(line));
  return info.includes("cluster_state:ok") && replicas.length === nodeCount - primaryCount;
}

async function nodesSeenBy(node: ValkeyServer): Promise<string> {
  return String(await request(node, "CLUSTER", "NODES"));
}
