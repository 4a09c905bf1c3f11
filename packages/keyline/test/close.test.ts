import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "./support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
});
afterAll(() => stage.close());

/** Takes every number, some time later. */
const slowSchema: StandardSchemaV1<number, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { value: value as number };
    },
  },
};

const calls: Readonly<Record<string, (keyline: Keyline) => Promise<unknown>>> = {
  "queue.add": (keyline) => keyline.queue("plain").add(1),
  "queue.add with an id": (keyline) => keyline.queue("plain").add(1, { id: "one" }),
  "queue.add with a schema that takes its time": (keyline) => keyline.queue("slow", { schema: slowSchema }).add(1),
  "queue.addMany": (keyline) => keyline.queue("plain").addMany([{ data: 1 }, { data: 2 }]),
  "queue.add to a transactional queue": (keyline) => keyline.queue("jobs", { transactional: true }).add(1),
  "queue.counts": (keyline) => keyline.queue("jobs", { transactional: true }).counts(),
  "queue.redrive": (keyline) => keyline.queue("jobs", { transactional: true }).redrive({ all: true }),
  "channel.publish": (keyline) => keyline.channel("live").publish(1),
  "channel.publish with history and a slow schema": (keyline) => keyline.channel("kept", { history: {}, schema: slowSchema }).publish(1),
  "channel.history": (keyline) => keyline.channel("kept", { history: {} }).history(),
  "presence.enter": (keyline) => keyline.channel("room").presence.enter("ann"),
  "presence.members": (keyline) => keyline.channel("room").presence.members(),
  "stream.append": (keyline) => keyline.stream("plain").append(1),
  "stream.append with a slow schema": (keyline) => keyline.stream("slow", { schema: slowSchema }).append(1),
  "stream.append to a transactional stream": (keyline) => keyline.stream("events", { transactional: true }).append(1),
  "stream.appendMany": (keyline) => keyline.stream("events", { transactional: true }).appendMany([1, 2]),
  "stream.groups": (keyline) => keyline.stream("events", { transactional: true }).groups(),
  "keyline.command": (keyline) => keyline.command("SET", `${keyline.prefix}:x`, "1"),
  "keyline.migrate": (keyline) => keyline.migrate(),
  "keyline.transaction": (keyline) => {
    const queue = keyline.queue<number>("jobs", { transactional: true });
    const stream = keyline.stream<number>("events", { transactional: true });
    const channel = keyline.channel<number>("live");
    return keyline.transaction(async (tx) => {
      await tx.query("SELECT pg_sleep(0.05)");
      return Promise.all([queue.add(1, { tx }), stream.append(1, { tx }), channel.publish(1, { tx })]);
    });
  },
};

test.each(Object.keys(calls))("%s that was called before close is done, and what comes after it throws CLOSED", async (name) => {
  const call = calls[name];
  const keyline = stage.keyline();
  const before = call?.(keyline);
  const closing = keyline.close();
  const after = (async () => call?.(keyline))();
  await expect(after).rejects.toMatchObject({ code: "CLOSED" });
  await closing;
  await expect(before).resolves.not.toThrow();
});

test("what was added before close is there, and is worked on", async () => {
  const keyline = stage.keyline();
  await keyline.command("PING");
  const plain = keyline.queue<number>("kept-plain");
  const queue = keyline.queue<number>("kept-jobs", { transactional: true });
  const adds = Array.from({ length: 2_000 }, (_, n) => [plain.add(n), queue.add(n)]).flat();
  await keyline.close();
  expect((await Promise.all(adds)).every(({ added }) => added)).toBe(true);
  const other = stage.keyline();
  expect(await other.queue("kept-plain").counts()).toMatchObject({ waiting: 2_000 });
  const counts = await other.queue("kept-jobs", { transactional: true }).counts();
  expect(counts.waiting).toBe(2_000);
  await other.close();
});

test("a handler that runs while Keyline closes still adds, publishes and settles with what it was given", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("first", { transactional: true });
  const next = keyline.queue<number>("next", { transactional: true });
  const plain = keyline.queue<number>("next-plain");
  const begun = gate();
  const going = gate();
  const attempts: number[] = [];
  queue.work(async (job, { settle }) => {
    begun.open();
    await going.opened;
    await plain.add(job.data);
    await settle(async (tx) => {
      await tx.query("INSERT INTO effects VALUES ($1)", [job.data]);
      await next.add(job.data, { tx });
    });
    attempts.push(job.attempt);
  });
  await queue.add(7);
  await begun.opened;
  const closing = keyline.close();
  expect(() => queue.work(() => undefined)).toThrow(expect.objectContaining({ code: "CLOSED" }));
  going.open();
  await closing;
  expect(attempts).toEqual([1]);
  await expect(plain.add(1)).rejects.toMatchObject({ code: "CLOSED" });
  expect((await stage.pool.query("SELECT n FROM effects")).rows).toEqual([{ n: 7 }]);
  const other = stage.keyline();
  await eventually("what it added is there", async () => {
    const counts = await Promise.all([other.queue("next", { transactional: true }).counts(), other.queue("next-plain").counts()]);
    return counts.every(({ waiting }) => waiting === 1);
  });
  await other.close();
});
