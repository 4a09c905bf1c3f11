import { startValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
let here: Keyline;
let operator: Keyline;
beforeAll(async () => {
  stage = await openStage();
  here = stage.keyline();
  operator = stage.keyline();
  await here.migrate();
});
afterAll(() => stage.close());

async function queueOf(
  name: string,
  keyline = operator,
): Promise<{ name: string; transactional: boolean; lastSeenAt: number | undefined } | undefined> {
  return (await keyline.directory.queues()).find((entry) => entry.name === name);
}

async function listed(name: string, kind: "queues" | "streams" | "channels" = "queues"): Promise<void> {
  await eventually(`${name} is in the directory`, async () => {
    return (await operator.directory[kind]()).some((entry) => entry.name === name && entry.lastSeenAt !== undefined);
  });
}

describe("a queue is in the directory of every process", () => {
  test("once a job was added to it, with its kind and when that was", async () => {
    const before = Date.now();
    await here.queue("added").add(1);
    await here.queue("committed", { transactional: true }).add(1);
    await listed("added");
    await listed("committed");
    expect(await queueOf("added")).toMatchObject({ name: "added", transactional: false });
    expect(await queueOf("committed")).toMatchObject({ name: "committed", transactional: true });
    const { lastSeenAt = 0 } = (await queueOf("added")) ?? {};
    expect(lastSeenAt).toBeGreaterThan(before - 60_000);
    expect(lastSeenAt).toBeLessThan(Date.now() + 60_000);
  });

  test("once a worker waits for jobs, a schedule was declared, or a job was added within a transaction", async () => {
    const worker = here.queue("worked").work(() => undefined);
    await here.queue("scheduled").schedule("nightly", { cron: "0 3 * * *", data: 1 });
    await here.transaction(async (tx) => {
      await here.queue("within", { transactional: true }).add(1, { tx });
    });
    for (const name of ["worked", "scheduled", "within"]) await listed(name);
    await worker.stop();
  });

  test("at once for the process that has just added to it", async () => {
    await here.queue("just_added").add(1);
    expect(await queueOf("just_added", here)).toBeDefined();
  });

  test("in the order of the names", async () => {
    for (const name of ["b_order", "a_order", "c_order"]) await here.queue(name).add(1);
    const names = (await here.directory.queues()).map(({ name }) => name);
    expect(names).toEqual(names.toSorted());
    expect(names).toEqual(expect.arrayContaining(["a_order", "b_order", "c_order"]));
  });

  test("and not when somebody only looks at it", async () => {
    await operator.queue("looked_at").counts();
    expect(await queueOf("looked_at")).toBeUndefined();
  });

  test("after its process has closed, at once", async () => {
    const dying = stage.keyline();
    await dying.queue("left_behind").add(1);
    await dying.close();
    expect(await queueOf("left_behind")).toMatchObject({ transactional: false });
  });

  test("of its prefix, and of no other", async () => {
    await here.queue("of_this_prefix").add(1);
    expect(await queueOf("of_this_prefix", here)).toBeDefined();
    expect(await queueOf("of_this_prefix", stage.keyline({ prefix: `${stage.prefix}_other` }))).toBeUndefined();
  });
});

describe("streams and channels are in it too", () => {
  test("a stream once something was appended, or a consumer waits", async () => {
    await here.stream("appended").append({ n: 1 });
    await here.stream<{ id: string }>("keyed", { key: ({ id }) => id, transactional: true }).append({ id: "7" });
    const consumer = here.stream("consumed").consume("mailer", () => undefined);
    for (const name of ["appended", "keyed", "consumed"]) await listed(name, "streams");
    const streams = await operator.directory.streams();
    expect(streams.find(({ name }) => name === "appended")).toMatchObject({ transactional: false, hasKeys: false });
    expect(streams.find(({ name }) => name === "keyed")).toMatchObject({ transactional: true, hasKeys: true });
    await consumer.stop();
  });

  test("a stream has keys although one that only consumes does not say so", async () => {
    await here.stream<{ id: string }>("half_known", { key: ({ id }) => id }).append({ id: "7" });
    await listed("half_known", "streams");
    const consumer = operator.stream("half_known").consume("mailer", () => undefined);
    await eventually("the consumer's process has written it too", async () => {
      return (
        (await stage.valkey.zcard(`${stage.prefix}:directory:streams`)) > 0 &&
        (await operator.directory.streams()).some(({ name }) => name === "half_known")
      );
    });
    expect((await operator.directory.streams()).find(({ name }) => name === "half_known")).toMatchObject({ hasKeys: true });
    await consumer.stop();
  });

  test("a channel only if somebody lists it, with its history", async () => {
    await here.channel("for_one_user").publish(1);
    await here.channel("live_news").list();
    await here.channel("kept_news", { history: { size: 7, ttl: 60_000 } }).list();
    expect(await operator.directory.channels()).toMatchObject([
      { name: "kept_news", hasHistory: true },
      { name: "live_news", hasHistory: false },
    ]);
  });
});

describe("what is opened", () => {
  const open = async (name: string, keyline: Keyline) => (await keyline.directory.queues()).find((entry) => entry.name === name)?.open();

  test("is the object that this process has by that name", async () => {
    const queue = here.queue("known", { maxAttempts: 3 });
    await queue.add(1);
    expect(await open("known", here)).toBe(queue);
  });

  test("is known to nobody who asks by name: the application may give its own options afterwards", async () => {
    await here.queue("foreign", { maxAttempts: 3 }).add({ n: 1 });
    await listed("foreign");
    const handle = await open("foreign", operator);
    expect(handle?.name).toBe("foreign");
    expect(await open("foreign", operator)).toBe(handle);
    expect(await handle?.counts()).toMatchObject({ waiting: 1 });
    await handle?.add({ n: 2 });
    const own = operator.queue("foreign", { maxAttempts: 7 });
    expect(own).not.toBe(handle);
    expect(await open("foreign", operator)).toBe(own);
    expect(await own.counts()).toMatchObject({ waiting: 2 });
  });

  test("works for a transactional queue, whose jobs are delivered and settled", async () => {
    await here.queue("foreign_rows", { transactional: true }).add({ n: 1 });
    await listed("foreign_rows");
    const handle = await open("foreign_rows", operator);
    await handle?.add({ n: 2 });
    const seen: unknown[] = [];
    const worker = handle?.work(({ data }: { data: unknown }) => void seen.push(data));
    await eventually("both ran", () => seen.length === 2);
    await worker?.stop();
    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("tells of what is transactional what Valkey has of it where nobody has said where PostgreSQL is, and does nothing to it", async () => {
    const queue = here.queue<number>("needs_rows", { transactional: true, maxAttempts: 1 });
    await queue.addMany([
      { data: 1, id: "first" },
      { data: 2, group: "g" },
      { data: 3, delay: 3_600_000, id: "later" },
    ]);
    await queue.schedule("nightly", { cron: "0 3 * * *", data: 1 });
    const stream = here.stream<number>("needs_events", { transactional: true });
    await stream.append(1);
    await eventually("they are on Valkey", async () => (await queue.counts()).waiting === 2 && (await stream.info()).length === 1);
    await listed("needs_rows");
    await listed("needs_events", "streams");
    await using without = new Keyline({ valkey: stage.valkeyUrl, prefix: stage.prefix });
    const handle = (await without.directory.queues()).find(({ name }) => name === "needs_rows")?.open();
    const events = (await without.directory.streams()).find(({ name }) => name === "needs_events")?.open();
    if (!handle || !events) throw new Error("they are not in the directory");

    const known = await handle.counts({ known: true });
    expect(known).toMatchObject({ waiting: 2, running: 0, scheduled: 1, isFromRows: false });
    expect(known).toMatchObject({ dead: undefined, dropped: undefined, parked: undefined });
    expect(await handle.workers()).toEqual([]);
    expect((await handle.rates({ minutes: 1 })).minutes).toHaveLength(1);
    expect((await events.rates({ minutes: 1 })).minutes).toHaveLength(1);

    const state = async (): Promise<unknown> => {
      const keys = (await stage.valkey.keys(`${stage.prefix}:*needs_*`)).sort();
      return Promise.all(keys.map(async (key) => [key, (await stage.valkey.dumpBuffer(key))?.toString("hex")]));
    };
    const before = await state();
    const client = await stage.pool.connect();
    await client.query("BEGIN");
    const acts: readonly (readonly [string, () => unknown])[] = [
      ["counts", () => handle.counts()],
      ["add", () => handle.add(1)],
      ["add with tx", () => handle.add(1, { tx: client })],
      ["addMany", () => handle.addMany([{ data: 1 }, { data: 2 }])],
      ["work", () => handle.work(() => undefined)],
      ["workBatch", () => handle.workBatch(() => undefined)],
      ["cancel", () => handle.cancel("first")],
      ["cancel all", () => handle.cancel({ all: true })],
      ["promote", () => handle.promote("later")],
      ["update", () => handle.update("later", { data: 4 })],
      ["update with tx", () => handle.update("later", { data: 4 }, { tx: client })],
      ["pause", () => handle.pause()],
      ["pause a group", () => handle.pause({ group: "g" })],
      ["setLimits", () => handle.setLimits({ concurrency: 1 })],
      ["redrive", () => handle.redrive({ all: true })],
      ["discard", () => handle.discard({ all: true })],
      ["signal", () => handle.signal("first", "go")],
      ["schedule", () => handle.schedule("hourly", { cron: "0 * * * *", data: 1 })],
      ["removeSchedule", () => handle.unschedule("nightly")],
      ["append", () => events.append(1)],
      ["append with tx", () => events.append(1, { tx: client })],
      ["consume", () => events.consume("g", () => undefined)],
      ["groups", () => events.groups()],
    ];
    for (const [what, act] of acts) {
      const outcome = await Promise.resolve()
        .then(act)
        .then(
          () => "it was done",
          (error: unknown) => error,
        );
      expect(outcome, what).toMatchObject({ code: "POSTGRES_REQUIRED" });
    }
    await client.query("ROLLBACK");
    client.release();
    expect(await state()).toEqual(before);
    expect(() => without.queue("needs_rows", { transactional: true })).toThrow(
      expect.objectContaining({ code: "POSTGRES_REQUIRED" }) as Error,
    );
  });

  test("of a stream with keys reads a key, redrives in its order, and appends nothing", async () => {
    await here.stream<{ id: string }>("handled", { key: ({ id }) => id }).append({ id: "7" });
    await listed("handled", "streams");
    const handle = (await operator.directory.streams()).find(({ name }) => name === "handled")?.open();
    expect(await handle?.history("7")).toMatchObject([{ data: { id: "7" }, key: "7" }]);
    await expect(handle?.append({ id: "8" })).rejects.toMatchObject({ code: "INVALID_KEY" });
    const own = operator.stream<{ id: string }>("handled", { key: ({ id }) => id });
    await own.append({ id: "8" });
    expect((await operator.directory.streams()).find(({ name }) => name === "handled")?.open()).toBe(own);
  });

  test("of a transactional stream appends within a transaction too, and what it appends arrives", async () => {
    const own = here.stream("foreign_events", { transactional: true });
    await own.append({ n: 1 });
    await listed("foreign_events", "streams");
    const handle = (await operator.directory.streams()).find(({ name }) => name === "foreign_events")?.open();
    await operator.transaction(async (tx) => void (await handle?.append({ n: 2 }, { tx })));
    for await (const { data } of own.follow({ after: "-" })) if ((data as { n: number }).n === 2) break;
  });

  test("of a channel keeps the history that the channel has", async () => {
    const own = here.channel<number>("short", { history: { size: 3 } });
    await own.list();
    for (let n = 1; n <= 3; n++) await own.publish(n);
    const handle = (await operator.directory.channels()).find(({ name }) => name === "short")?.open();
    await handle?.publish(4);
    expect((await own.history()).messages.map(({ data }) => data)).toEqual([2, 3, 4]);
    expect(operator.channel("short", { history: { size: 5 } })).not.toBe(handle);
  });

  test("is refused where somebody else has written what is no name", async () => {
    await stage.valkey.zadd(`${stage.prefix}:directory:queues`, Date.now(), " {evil}");
    const handle = (await operator.directory.queues()).find(({ name }) => name === "{evil}");
    expect(() => handle?.open()).toThrow(expect.objectContaining({ code: "INVALID_NAME" }));
  });
});

test("what nobody has used for 30 days is dropped", async () => {
  const day = 86_400_000;
  await stage.valkey.zadd(`${stage.prefix}:directory:queues`, Date.now() - 31 * day, " forgotten", Date.now() - 29 * day, " remembered");
  await here.queue("newest").add(1);
  await listed("newest");
  expect(await queueOf("forgotten")).toBeUndefined();
  expect(await queueOf("remembered")).toBeDefined();
});

test("a queue that became transactional is what it was last", async () => {
  await stage.valkey.zadd(`${stage.prefix}:directory:queues`, Date.now() - 1_000, " turned", Date.now(), "transactional turned");
  expect(await queueOf("turned")).toMatchObject({ transactional: true });
  expect((await operator.directory.queues()).filter(({ name }) => name === "turned")).toHaveLength(1);
});

describe("where a store was emptied, or is away", () => {
  test("transactional queues and streams are found in PostgreSQL, also those that only an older version used", async () => {
    await here.queue("recorded_a", { transactional: true }).add(1);
    await here.queue("recorded_b", { transactional: true }).addMany([{ data: 1 }, { data: 2 }]);
    await here.stream<{ id: string }>("recorded_s", { transactional: true, key: ({ id }) => id }).append({ id: "7" });
    const empty = stage.keyline({ prefix: `${stage.prefix}_empty` });
    const queues = await empty.directory.queues();
    expect(queues).toEqual(
      expect.arrayContaining(
        ["recorded_a", "recorded_b"].map(
          (name) => expect.objectContaining({ name, transactional: true, lastSeenAt: undefined }) as unknown,
        ),
      ),
    );
    expect(await empty.directory.streams()).toContainEqual(
      expect.objectContaining({ name: "recorded_s", transactional: true, hasKeys: true }),
    );
  });

  test("a queue that has only a schedule is found, also one that is paused or has made its last tick", async () => {
    const tomorrow = new Date(Date.now() + 86_400_000);
    for (const name of ["only_next", "only_paused"]) {
      const queue = here.queue(name, { transactional: true });
      await queue.schedule("nightly", { every: 3_600_000, startAt: tomorrow, data: 1 });
    }
    expect(await here.queue("only_paused", { transactional: true }).pauseSchedule("nightly")).toBe(true);
    const empty = stage.keyline({ prefix: `${stage.prefix}_only` });
    const names = (await empty.directory.queues()).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["only_next", "only_paused"]));
  });

  test("a plain queue with only a schedule stays in it as long as who declared it runs", async () => {
    await here.queue("only_plain").schedule("yearly", { cron: "0 3 1 1 *", data: 1 });
    await listed("only_plain");
    await stage.valkey.del(`${stage.prefix}:directory:queues`);
    expect(await queueOf("only_plain", here)).toBeDefined();
  });

  test("while Valkey is away it is what was read last and what this process has used", async () => {
    const valkey = await startValkey();
    const open = (): Keyline => new Keyline({ valkey: valkey.url, prefix: stage.prefix });
    await using user = open();
    await using reading = open();
    await using alone = open();
    await user.queue("away_plain").add(1);
    await user.stream("away_stream").append(1);
    await user.channel("away_channel").list();
    await eventually(
      "it is read",
      async () => (await reading.directory.queues()).length === 1 && (await reading.directory.streams()).length === 1,
    );
    expect(await reading.directory.channels()).toHaveLength(1);
    await alone.queue("away_own").add(1);
    await eventually("all is read", async () => (await alone.directory.queues()).length === 2);
    await valkey.stop();
    const [queue] = await reading.directory.queues();
    expect(queue).toMatchObject({ name: "away_plain", transactional: false, lastSeenAt: expect.any(Number) as unknown });
    expect(queue?.open().name).toBe("away_plain");
    expect((await reading.directory.streams()).map(({ name }) => name)).toEqual(["away_stream"]);
    expect((await reading.directory.channels()).map(({ name }) => name)).toEqual(["away_channel"]);
    expect((await alone.directory.queues()).map(({ name }) => name)).toEqual(["away_own", "away_plain"]);
  });

  test("what has never been read is left out while Valkey is away, and an error without PostgreSQL", async () => {
    const valkey = await startValkey();
    const both = stage.keyline({ valkey: valkey.url });
    await using alone = new Keyline({ valkey: valkey.url, prefix: stage.prefix });
    await both.queue("plain_only").add(1);
    await both.queue("with_rows", { transactional: true }).add(1);
    await valkey.stop();
    // Of plain ones those that it has used itself.
    expect((await both.directory.queues()).map(({ name }) => name)).toEqual(expect.arrayContaining(["plain_only", "with_rows"]));
    await expect(alone.directory.queues()).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  });

  test("PostgreSQL's half is left out while it has no schema", async () => {
    const bare = await openStage();
    const keyline = bare.keyline();
    await keyline.queue("plain").add(1);
    expect(await keyline.directory.queues()).toMatchObject([{ name: "plain" }]);
    await bare.close();
  });
});
