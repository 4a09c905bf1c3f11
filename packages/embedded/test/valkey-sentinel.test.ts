import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type EmbeddedValkeySentinel, startValkeySentinel } from "../src/index.ts";
import { request } from "../src/valkey/resp.ts";
import { eventually, nothingIsLeftOf } from "./eventually.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let group: EmbeddedValkeySentinel;
beforeAll(async () => {
  group = await startValkeySentinel();
});
afterAll(async () => {
  await group.stop();
  expect([group.primary, group.replica, ...group.sentinels].every(nothingIsLeftOf)).toBe(true);
});

async function portsSeenBySentinels(): Promise<readonly number[]> {
  const replies = await Promise.all(
    group.sentinels.map((sentinel) => request(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", group.name)),
  );
  return replies.map((reply) => (Array.isArray(reply) ? Number(reply[1]) : 0));
}

test("three sentinels name the primary, and move to the replica when the primary is killed", async () => {
  const { primary, replica } = group;
  expect(await portsSeenBySentinels()).toEqual([primary.port, primary.port, primary.port]);
  await primary.kill();
  const hasMoved = async (): Promise<boolean> => (await portsSeenBySentinels()).every((port) => port === replica.port);
  expect(await eventually(hasMoved, { timeoutMs: 20_000 })).toBe(true);
  expect(String(await request(replica, "ROLE"))).toMatch(/^master/);
});

test("a primary that comes back after the failover is made the replica", async () => {
  await group.primary.restart();
  const isReplica = async (): Promise<boolean> => String(await request(group.primary, "ROLE")).startsWith("slave");
  expect(await eventually(isReplica, { timeoutMs: 30_000 })).toBe(true);
});
