import type { Job } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openQuietStage, type Stage } from "./support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("a queue, a stream and a channel of one name share no key, and none hears of the others", async () => {
  const keyline = stage.keyline();
  const prefix = `${stage.prefix}:{orders}:`;
  const keysNow = async (): Promise<string[]> => (await stage.valkey.keys(`${prefix}*`)).map((key) => key.slice(prefix.length)).toSorted();

  // All that leaves keys: groups, keys that are held, dead letters, results, events, progress.
  const queue = keyline.queue<number>("orders", { maxAttempts: 1, keepResult: 60_000 });
  const events: string[] = [];
  const following = new AbortController();
  const follower = (async () => {
    for await (const { type } of queue.events({ signal: following.signal })) events.push(type);
  })();
  await eventually("it is followed", async () => (await stage.valkey.hget(`${prefix}feed:state`, "ready")) === "1");
  const release = gate();
  const worker = queue.work(
    async (job: Job<number>) => {
      void job.progress({ n: job.data });
      if (job.data === 1) throw new Error("dead");
      if (job.data > 1) await release.opened;
      return job.data;
    },
    { concurrency: 2 },
  );
  await queue.add(0, { deduplicate: { key: "k", window: 60_000 } });
  await queue.add(1, { id: "own" });
  await queue.addMany([2, 3, 4].map((data) => ({ data, group: "g" })));
  await queue.add(5, { delay: 60_000, priority: "high" });
  await queue.pause({ group: "other" });
  await eventually("one is dead, and others wait in their line", async () => {
    const { dead, blocked } = await queue.counts();
    return dead === 1 && blocked === 2;
  });
  const ofQueue = await keysNow();
  expect(ofQueue.length).toBeGreaterThan(15);

  const stream = keyline.stream<{ key: string; n: number }>("orders", { key: ({ key }) => key, retention: { maxLength: 1_000 } });
  await stream.append({ key: "k", n: 1 }, { idempotencyKey: "k" });
  await stream.append({ key: "k", n: 2 });
  const failed: string[] = [];
  const consumer = stream.consume("group", () => Promise.reject(new Error("no")), { maxAttempts: 1 });
  consumer.on("dead", (entry) => void failed.push(entry?.id ?? ""));
  await eventually("both are dead", () => failed.length === 2);
  const withStream = await keysNow();
  const ofStream = withStream.filter((key) => !ofQueue.includes(key));

  const channel = keyline.channel<number>("orders", { history: { size: 10 } });
  const heard: number[] = [];
  const subscription = channel.subscribe(({ data }) => void heard.push(data));
  await subscription.ready;
  const member = await channel.presence.enter("ada");
  await channel.publish(7);
  await eventually("it is heard", () => heard.length === 1);

  release.open();
  await eventually("the queue is done", async () => (await queue.counts()).running === 0);
  expect((await stream.info()).length).toBe(2);
  const read: number[] = [];
  for await (const { data } of stream.read()) read.push(data.n);
  expect(read).toEqual([1, 2]);
  expect((await stream.groups()).map(({ name, dead }) => ({ name, dead }))).toEqual([{ name: "group", dead: 2 }]);
  for await (const { name } of queue.groups()) expect(["g", "other"]).toContain(name);
  await eventually("all of the queue is told", () => events.filter((type) => type === "completed").length === 4);
  // The same name means the same thing only to the shape that wrote it: a stream alone leaves the same keys as one beside a queue.
  const alone = keyline.stream<{ key: string; n: number }>("alone", { key: ({ key }) => key, retention: { maxLength: 1_000 } });
  await alone.append({ key: "k", n: 1 }, { idempotencyKey: "k" });
  await alone.append({ key: "k", n: 2 });
  const other = alone.consume("group", () => Promise.reject(new Error("no")), { maxAttempts: 1 });
  let deaths = 0;
  other.on("dead", () => void deaths++);
  await eventually("both are dead", () => deaths === 2);
  const shapeOf = (key: string): string => key.replaceAll(/[0-9a-z-]{8,}/g, "#").replaceAll(/\d+/g, "#");
  const aloneKeys = (await stage.valkey.keys(`${stage.prefix}:{alone}:*`)).map((key) => key.slice(`${stage.prefix}:{alone}:`.length));
  expect([...new Set(ofStream.map(shapeOf))].toSorted()).toEqual([...new Set(aloneKeys.map(shapeOf))].toSorted());

  await member.leave();
  following.abort();
  await follower;
  await Promise.all([worker.stop(), consumer.stop(), other.stop()]);
  await subscription.close();
}, 60_000);
