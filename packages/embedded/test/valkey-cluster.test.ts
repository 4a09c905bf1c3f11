import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type EmbeddedValkeyCluster, startValkeyCluster } from "../src/index.ts";
import { request } from "../src/valkey/resp.ts";
import { eventually, nothingIsLeftOf } from "./eventually.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let cluster: EmbeddedValkeyCluster;
beforeAll(async () => {
  cluster = await startValkeyCluster();
});
afterAll(async () => {
  await cluster.stop();
  expect(cluster.nodes.every(nothingIsLeftOf)).toBe(true);
});

test("every node sees all slots served by three primaries with a replica each", async () => {
  expect(cluster.nodes).toHaveLength(6);
  for (const node of cluster.nodes) {
    const info = String(await request(node, "CLUSTER", "INFO"));
    expect(info).toContain("cluster_state:ok");
    expect(info).toContain("cluster_slots_ok:16384");
    expect(info).toContain("cluster_known_nodes:6");
    expect(info).toContain("cluster_size:3");
  }
  const roles = await Promise.all(cluster.nodes.map(async (node) => String(await request(node, "ROLE")).split(",")[0]));
  expect(roles).toEqual(["master", "master", "master", "slave", "slave", "slave"]);
});

test("a replica takes over from a primary that is killed, which comes back as a replica", async () => {
  const [primary, , , replica] = cluster.nodes;
  if (primary === undefined || replica === undefined) throw new Error("six nodes expected");
  await primary.kill();
  const role = async (node: typeof primary): Promise<string> => String(await request(node, "ROLE")).split(",")[0] ?? "";
  expect(await eventually(async () => (await role(replica)) === "master", { timeoutMs: 20_000 })).toBe(true);
  await primary.restart();
  expect(await eventually(async () => (await role(primary)) === "slave", { timeoutMs: 20_000 })).toBe(true);
});
