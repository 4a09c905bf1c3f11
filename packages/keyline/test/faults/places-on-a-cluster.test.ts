import { startValkeyCluster, type EmbeddedValkeyCluster } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { AddResult, Deduplicate, Keyline, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

const hour = 3_600_000;

let stage: Stage;
let cluster: EmbeddedValkeyCluster;
let keyline: Keyline;
beforeAll(async () => {
  [stage, cluster] = await Promise.all([openStage(), startValkeyCluster()]);
  keyline = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) } });
  await keyline.migrate();
}, 120_000);
afterAll(async () => {
  await stage.close();
  await cluster.stop();
});

describe.each([{ transactional: false }, { transactional: true }])("on a cluster (transactional: $transactional)", ({ transactional }) => {
  test("delays, priorities, groups, limits and pauses work as elsewhere, and all of a queue is in one slot", async () => {
    const name = `placed-${transactional}`;
    const queue = keyline.queue<string>(name, { transactional, limits: { rate: { max: 1_000, per: 1_000 } } } as {
      transactional: false;
    });
    const ran: string[] = [];
    await queue.pause();
    await queue.addMany([
      { data: "late", delay: 500 },
      { data: "low", priority: "low" },
      { data: "first", group: "g" },
      { data: "second", group: "g" },
      { data: "other", group: "h" },
      { data: "normal" },
    ]);
    await queue.pause({ group: "h" });
    const worker = queue.work(({ data }) => void ran.push(data), { concurrency: 2 });
    await eventually("all are there", async () => {
      const { waiting, blocked, scheduled } = await queue.counts();
      return waiting + blocked + scheduled === 6;
    });
    expect(ran).toEqual([]);
    expect(await slotsOf(name)).toHaveLength(1);
    await queue.resume();
    await eventually("all have run but that of the paused group", () => ran.length === 5);
    expect(ran.indexOf("first")).toBeLessThan(ran.indexOf("second"));
    expect(ran).not.toContain("other");
    await queue.setLimits({ concurrency: 1, rate: null });
    expect(await queue.limits()).toEqual({ concurrency: 1 });
    await queue.resume({ group: "h" });
    await eventually("that too", () => ran.includes("other"));
    await worker.stop();
  });

  test("one of a key is added, for as long as it is there, for a time, or the latest, also by two processes at once", async () => {
    const name = `once-${transactional}`;
    const other = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) } });
    const open = (from: Keyline): Queue<number> => from.queue<number>(name, { transactional } as { transactional: false });
    const queues = [open(keyline), open(other)] as const;
    const [queue] = queues;
    const addBoth = (first: number, deduplicate: Deduplicate): Promise<AddResult[]> =>
      Promise.all(Array.from({ length: 20 }, (_, n) => (queues[n % 2] ?? queue).add(first + n, { deduplicate })));
    const ways: readonly Deduplicate[] = [
      { key: "open" },
      { key: "window", window: hour },
      { key: "latest", window: hour, keep: "latest" },
    ];
    for (const [index, deduplicate] of ways.entries()) {
      const answers = await addBoth(100 * (index + 1), deduplicate);
      expect(answers.filter(({ added }) => added)).toHaveLength(1);
      expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    }
    // Of a group, where it stands in the line.
    await queue.add(1, { group: "g" });
    const waiting = await queue.add(2, { group: "g", deduplicate: { key: "in line" } });
    expect(await open(other).add(3, { group: "g", deduplicate: { key: "in line" } })).toEqual({ id: waiting.id, added: false });
    expect(await slotsOf(name)).toHaveLength(1);

    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("what is due has run", () => ran.length === 4);
    expect(ran.filter((n) => n < 100)).toEqual([1, 2]);
    await eventually(
      "the keys of those that have ended are free",
      async () => (await queue.add(4, { deduplicate: { key: "open" } })).added,
    );
    expect((await queue.add(5, { deduplicate: { key: "window", window: hour } })).added).toBe(false);
    await worker.stop();
  });
});

test("on a cluster operators find what there is, and who works on it", async () => {
  const other = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) } });
  const held = Promise.withResolvers<void>();
  const worker = keyline.queue("operated").work(() => held.promise, { concurrency: 2 });
  const consumer = keyline.stream("operated").consume("group", () => undefined);
  await keyline.queue("operated").add(1);
  await keyline.channel("operated").list();
  const { directory } = other;
  await eventually("all three are listed", async () => {
    const found = await Promise.all([directory.queues(), directory.streams(), directory.channels()]);
    return found.every((entries) => entries.some(({ name, lastSeenAt }) => name === "operated" && lastSeenAt !== undefined));
  });
  const queue = (await directory.queues()).find(({ name }) => name === "operated")?.open();
  await eventually("its job is seen to run", async () => (await queue?.workers())?.[0]?.jobs.length === 1);
  const group = other.stream("operated").group("group");
  await eventually("its consumer is seen", async () => (await group.consumers())[0]?.concurrency === 1);
  held.resolve();
  await Promise.all([worker.stop(), consumer.stop()]);
});

async function slotsOf(queue: string): Promise<number[]> {
  const slots = new Set<number>();
  for (const { host, port } of cluster.nodes) {
    const node = new Valkey(port, host);
    for (const key of await node.keys(`*{${queue}}*`)) slots.add((await node.call("CLUSTER", "KEYSLOT", key)) as number);
    node.disconnect();
  }
  return [...slots];
}
