import { Snooze, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

interface Step {
  readonly group: string;
  readonly n: number;
}

describe.each([{ transactional: false }, { transactional: true }])("a group (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string): Queue<Step> =>
    stage.keyline().queue<Step>(`${name}-${transactional}`, {
      transactional,
      backoff: () => 30,
    } as { transactional: false });

  test("runs one job at a time, in the order of adding, through retries, snoozes and delays", async () => {
    const queue = open("order");
    const running = new Set<string>();
    const overlaps: string[] = [];
    const ran = new Map<string, number[]>();
    const failed = new Set<string>();
    const workers = [1, 2, 3].map(() =>
      queue.work(
        async ({ data: { group, n }, id }) => {
          if (running.has(group)) overlaps.push(id);
          running.add(group);
          await new Promise((resolve) => setImmediate(resolve));
          running.delete(group);
          if (!failed.has(id) && n % 3 === 1) {
            failed.add(id);
            if (n % 2 === 0) throw new Snooze(20);
            throw new Error("once more");
          }
          ran.set(group, [...(ran.get(group) ?? []), n]);
        },
        { concurrency: 20 },
      ),
    );
    const groups = Array.from({ length: 20 }, (_, index) => `g${index}`);
    for (let n = 0; n < 15; n++) {
      await queue.addMany(groups.map((group) => ({ data: { group, n }, group, ...(n % 5 === 2 ? { delay: 50 } : {}) })));
    }
    await eventually("all have run", () => [...ran.values()].flat().length === 300);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(overlaps).toEqual([]);
    for (const group of groups) expect(ran.get(group)).toEqual(Array.from({ length: 15 }, (_, n) => n));
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, blocked: 0, running: 0 });
    expect(await stage.valkey.exists(`${stage.prefix}:{order-${transactional}}:grouped`)).toBe(0);
  });

  test("does not keep others waiting, however long it is", async () => {
    const queue = open("turns");
    await queue.addMany(Array.from({ length: 150 }, (_, n) => ({ data: { group: "long", n }, group: "long" })));
    await queue.add({ group: "short", n: 0 }, { group: "short" });
    await queue.add({ group: "", n: 0 });
    await eventually("all are there", async () => (await queue.counts()).blocked === 149);
    const ran: string[] = [];
    const worker = queue.work(({ data: { group } }) => void ran.push(group));
    await eventually("all have run", () => ran.length === 152);
    expect(ran.indexOf("short")).toBeLessThan(5);
    expect(ran.indexOf("")).toBeLessThan(5);
    await worker.stop();
  });

  test("goes on whatever the ids of its jobs look like, also where several run at a time", async () => {
    const queue = stage.keyline().queue<Step>(`ids-${transactional}`, { transactional, limits: { group: { concurrency: 2 } } } as {
      transactional: false;
    });
    const ran: number[] = [];
    const worker = queue.work(({ data: { n } }) => void ran.push(n), { concurrency: 5 });
    await eventually("its limits are set", async () => (await queue.limits()).group !== undefined);
    const ids = ["order-42", "a.b", "x_y", "k:1", "--", "..", "order-42-", "7"];
    await queue.addMany(ids.map((id, n) => ({ data: { group: "g", n }, group: "g", id })));
    await eventually("all have run", () => ran.length === ids.length);
    await eventually("nothing is left", async () => (await stage.valkey.exists(`${stage.prefix}:{ids-${transactional}}:grouped`)) === 0);
    await worker.stop();
  });

  test("goes on behind a dead letter", async () => {
    const queue = stage.keyline().queue<Step>(`dead-${transactional}`, { transactional, maxAttempts: 1 } as { transactional: false });
    const ran: number[] = [];
    const worker = queue.work(({ data: { n } }) => {
      ran.push(n);
      if (n === 1) throw new Error("never");
    });
    await queue.addMany([0, 1, 2].map((n) => ({ data: { group: "g", n }, group: "g" })));
    await eventually("all have run", () => ran.length === 3);
    expect(ran).toEqual([0, 1, 2]);
    await eventually("one is dead", async () => (await queue.counts()).dead === 1);
    await worker.stop();
  });
});

test("jobs that stand in a sorted set, as all of a plain queue did once, come before those that are added now", async () => {
  const queue = stage.keyline().queue<Step>("sorted");
  const key = (name: string): string => `${stage.prefix}:{sorted}:${name}`;
  const add = (n: number): Promise<unknown> => queue.add({ group: "g", n }, { group: "g" });
  for (let n = 0; n < 4; n++) await add(n);
  const elements = (await stage.valkey.hvals(key("lines"))).filter((text) => text.startsWith("{"));
  for (const element of elements) await stage.valkey.zadd(key("line:g"), (JSON.parse(element) as { data: Step }).data.n, `0|${element}`);
  await stage.valkey.set(key("order"), 3);
  await stage.valkey.del(key("lines"));
  expect(await queue.counts()).toMatchObject({ waiting: 1, blocked: 3 });
  for (let n = 4; n < 6; n++) await add(n);
  for await (const group of queue.groups()) expect(group).toMatchObject({ name: "g", state: "blocked", waiting: 5 });
  const ran: number[] = [];
  const worker = queue.work(({ data: { n } }) => void ran.push(n));
  await eventually("some have run", () => ran.length >= 6);
  for (let n = 6; n < 8; n++) await add(n);
  await eventually("all have run", () => ran.length === 8);
  expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  await eventually("nothing is left", async () => (await stage.valkey.exists(key("grouped"), key("lines"), key("line:g"))) === 0);
  await worker.stop();
});

test("a job that is delivered twice to the line of its group is counted once", async () => {
  const queue = stage.keyline().queue<Step>("twice", { transactional: true });
  await queue.addMany([0, 1].map((n) => ({ data: { group: "g", n }, group: "g" })));
  await eventually("they are there", async () => (await queue.counts()).blocked === 1);
  const line = `${stage.prefix}:{twice}:line:g`;
  const [member = "", order = ""] = await stage.valkey.zrange(line, 0, 0, "WITHSCORES");
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 5_000 });
  await connection.ensureReady(5_000);
  await new QueueStore(connection, new QueueKeys(stage.prefix, "twice")).adds.place([
    { element: member.slice("0|".length), options: ["group", "g", "order", order] },
  ]);
  connection.close();
  expect(await queue.counts()).toMatchObject({ blocked: 1 });
});
