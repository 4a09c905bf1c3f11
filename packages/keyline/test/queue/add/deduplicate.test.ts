import { startValkey } from "@keyline/embedded";
import type { AddOptions, AddResult, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startProcess } from "../../support/processes.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

const hour = 3_600_000;

describe.each([{ transactional: false }, { transactional: true }])("deduplicate (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string, options: object = {}): Queue<number> =>
    stage.keyline().queue<number>(`${name}-${transactional}`, { transactional, backoff: () => 30, ...options } as { transactional: false });

  test("by a key: none is added while one with it waits, runs or is scheduled, and another one after it has ended", async () => {
    const queue = open("key");
    const deduplicate = { key: "user 7" };
    const first = await queue.add(1, { deduplicate });
    expect(first.added).toBe(true);
    expect(await queue.add(2, { deduplicate })).toEqual({ id: first.id, added: false });
    expect((await queue.add(3, { deduplicate: { key: "user 8" } })).added).toBe(true);

    const begun = gate();
    const mayEnd = gate();
    const ran: number[] = [];
    const retried = gate();
    const worker = queue.work(async ({ data, attempt }) => {
      if (data === 1) begun.open();
      if (data === 1) await mayEnd.opened;
      if (data === 1 && attempt === 1) throw new Error("once more");
      ran.push(data);
    });
    worker.on("retried", () => retried.open());
    await begun.opened;
    expect(await queue.add(4, { deduplicate })).toEqual({ id: first.id, added: false });
    mayEnd.open();
    await retried.opened;
    expect((await queue.add(5, { deduplicate })).id).toBe(first.id);
    await eventually("both have run", () => ran.length === 2);
    await eventually("nothing is held", async () => (await queue.counts()).running === 0);
    const next = await queue.add(6, { deduplicate });
    expect(next.added).toBe(true);
    await eventually("it has run", () => ran.includes(6));
    expect(new Set(ran)).toEqual(new Set([1, 3, 6]));
    await worker.stop();
    expect(await stage.valkey.exists(`${stage.prefix}:{key-${transactional}}:keys`)).toBe(0);
  });

  test("by a key: a job with a delay, a priority or a group holds it as well, and each of one call", async () => {
    const queue = open("placed");
    const ways: AddOptions[] = [{ delay: hour }, { priority: "high" }, { group: "g" }, { group: "g", delay: hour }, { id: "own" }, {}];
    const jobs = ways.map((options, index) => ({ data: index, ...options, deduplicate: { key: `key ${index}` } }));
    const first = await queue.addMany(jobs);
    expect(first.every(({ added }) => added)).toBe(true);
    const again = await queue.addMany([...jobs, { data: 9, deduplicate: { key: "key 9" } }, { data: 10, deduplicate: { key: "key 9" } }]);
    expect(again.slice(0, -2)).toEqual(first.map(({ id }) => ({ id, added: false })));
    expect(again.at(-2)?.added).toBe(true);
    expect(again.at(-1)).toEqual({ id: again.at(-2)?.id, added: false });
    // An id that is known adds nothing either, and leaves the key free.
    expect(await queue.add(1, { id: "own", deduplicate: { key: "free" } })).toEqual({ id: "own", added: false });
    expect((await queue.add(1, { deduplicate: { key: "free" } })).added).toBe(true);
    expect(await queue.add(1, { id: "own", deduplicate: { key: "free too", window: hour } })).toEqual({ id: "own", added: false });
    expect((await queue.add(1, { deduplicate: { key: "free too", window: hour } })).added).toBe(true);
  });

  test("by a key: a dead letter frees it, and is put back only while nobody holds it", async () => {
    const queue = open("dead", { maxAttempts: 1 });
    const deduplicate = { key: "k" };
    let fails = true;
    const ran: number[] = [];
    const work = (): ReturnType<typeof queue.work> =>
      queue.work(({ data }) => {
        if (fails) throw new Error("no");
        ran.push(data);
      });
    const { id } = await queue.add(1, { deduplicate });
    let worker = work();
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    const second = await queue.add(2, { deduplicate });
    expect(second.added).toBe(true);
    await eventually("both are dead", async () => (await queue.counts()).dead === 2);
    await worker.stop();

    const third = await queue.add(3, { deduplicate });
    expect(third.added).toBe(true);
    expect(await queue.redrive({ all: true })).toBe(0);
    fails = false;
    worker = work();
    await eventually("it has run", () => ran.includes(3));
    await eventually("nothing is held", async () => (await queue.counts()).running === 0);
    await worker.stop();
    // Of two with the same key one is put back, and holds it again.
    expect(await queue.redrive({ all: true })).toBe(1);
    expect(await queue.redrive({ all: true })).toBe(0);
    const taken = await queue.add(4, { deduplicate });
    expect([id, second.id]).toContain(taken.id);
    expect(taken.added).toBe(false);
    worker = work();
    await eventually("it has run", () => ran.length === 2);
    await eventually("nothing is held", async () => (await queue.counts()).running === 0);
    expect(await queue.redrive({ all: true })).toBe(1);
    await eventually("the last one has run", () => ran.length === 3);
    expect(new Set(ran)).toEqual(new Set([1, 2, 3]));
    await worker.stop();
  });

  test("by a key and a window: the first one wins for that time, whatever becomes of it", async () => {
    const queue = open("window");
    const deduplicate = { key: "user 7", window: hour };
    const first = await queue.add(1, { deduplicate });
    expect(first.added).toBe(true);
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("it has run", () => ran.length === 1);
    expect(await queue.add(2, { deduplicate })).toEqual({ id: first.id, added: false });
    // Forms are apart from each other.
    expect((await queue.add(3, { deduplicate: { key: "user 7" } })).added).toBe(true);

    const short = { key: "short", window: 200 };
    const { id } = await queue.add(4, { deduplicate: short });
    let next: AddResult = { id, added: false };
    await eventually("its window is over", async () => {
      next = await queue.add(5, { deduplicate: short });
      return next.added;
    });
    expect(next.id).not.toBe(id);
    await eventually("all have run", () => ran.length === 4);
    expect(ran).toEqual([1, 3, 4, 5]);
    await worker.stop();
  });

  test.each([
    { name: "key", options: {} },
    { name: "window", options: { window: hour } },
    { name: "latest", options: { window: hour, keep: "latest" } },
  ])("is exact while two processes and this one add at the same moment ($name)", async ({ name, options }) => {
    const queue = open(`exact-${name}`);
    await queue.counts();
    const { valkeyUrl: valkey, databaseUrl: postgres, prefix } = stage;
    const settings = {
      valkey,
      postgres,
      prefix,
      queue: queue.name,
      transactional,
      keys: 30,
      calls: 10,
      options,
      startAt: Date.now() + 1_000,
    };
    const processes = [1, 2].map(() => startProcess("keyed-adder.ts", settings));
    const answers: (AddResult & { key: string })[] = [];
    const adders = Array.from({ length: 10 }, async (_, adder) => {
      const own = stage.keyline().queue<number>(queue.name, { transactional, backoff: () => 30 } as { transactional: false });
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, settings.startAt - Date.now())));
      for (let index = 0; index < 30; index++) {
        const key = `key ${(index * 7 + adder * 11) % 30}`;
        answers.push({ key, ...(await own.add(index, { deduplicate: { key, ...options } as { key: string } })) });
      }
    });
    await Promise.all([...adders, ...processes.map(({ exited }) => exited)]);
    for (const { lines } of processes) answers.push(...(lines[0] as { answers: typeof answers }).answers);
    expect(answers).toHaveLength(900);
    const byKey = Map.groupBy(answers, ({ key }) => key);
    expect(byKey.size).toBe(30);
    for (const told of byKey.values()) {
      expect(told.filter(({ added }) => added)).toHaveLength(1);
      expect(new Set(told.map(({ id }) => id)).size).toBe(1);
    }
    const { waiting, scheduled } = await queue.counts();
    if (!transactional) expect(waiting + scheduled).toBe(30);
    else expect((await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue.name])).rowCount).toBe(30);
  });

  test("a key is free when the job of a worker that was killed has come back and ended", async () => {
    const queue = open("killed", { lease: 500 });
    const deduplicate = { key: "k" };
    const { valkeyUrl: valkey, databaseUrl: postgres, prefix } = stage;
    const holder = startProcess("keyed-holder.ts", { valkey, postgres, prefix, queue: queue.name, transactional, lease: 500 });
    const first = await queue.add(1, { deduplicate });
    await eventually("it runs", () => holder.lines.some((line) => line["started"] === first.id));
    holder.signal("SIGKILL");
    await holder.exited;
    expect(await queue.add(2, { deduplicate })).toEqual({ id: first.id, added: false });
    const ran: number[] = [];
    const worker = queue.work(({ data, attempt }) => void ran.push(data, attempt));
    await eventually("it has run", () => ran.length > 0);
    await eventually("nothing is held", async () => (await queue.counts()).running === 0);
    expect((await queue.add(3, { deduplicate })).added).toBe(true);
    await eventually("the next one has run", () => ran.length === 4);
    expect(ran).toEqual([1, 2, 3, 1]);
    await worker.stop();
  });

  test.each([
    [{ deduplicate: "k" as never }, "deduplicate"],
    [{ deduplicate: null as never }, "deduplicate"],
    [{ deduplicate: {} as never }, "deduplicate.key"],
    [{ deduplicate: { key: "" } }, "deduplicate.key"],
    [{ deduplicate: { key: "x".repeat(201) } }, "deduplicate.key"],
    [{ deduplicate: { key: 'a"b' } }, "deduplicate.key"],
    [{ deduplicate: { key: 7 as never } }, "deduplicate.key"],
    [{ deduplicate: { key: "k", window: 0 } }, "deduplicate.window"],
    [{ deduplicate: { key: "k", window: 1.5 } }, "deduplicate.window"],
    [{ deduplicate: { key: "k", window: -1 } }, "deduplicate.window"],
    [{ deduplicate: { key: "k", window: Infinity } }, "deduplicate.window"],
    [{ deduplicate: { key: "k", window: 315_360_000_001 } }, "deduplicate.window"],
    [{ deduplicate: { key: "k", window: "1" as never } }, "deduplicate.window"],
    [{ deduplicate: { key: "k", window: 1, keep: "first" as never } }, "deduplicate.keep"],
    [{ deduplicate: { key: "k", keep: "latest" } as never }, "deduplicate.keep"],
    [{ deduplicate: { key: "k", window: 1, keep: "latest" }, delay: 1 }, "deduplicate.keep"],
    [{ deduplicate: { key: "k", window: 1, keep: "latest" }, runAt: 1 }, "deduplicate.keep"],
    [{ deduplicate: { key: "k", ttl: 1 } as never }, "ttl"],
  ] satisfies [AddOptions, string][])("refuses %j before anything is written", async (options, field) => {
    const queue = open("refused");
    const refusal: unknown = await queue.add(1, options).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(field) as string });
    await expect(queue.addMany([{ data: 1 }, { data: 2, ...options }])).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, blocked: 0 });
  });
});

test("where Valkey's memory has run out nothing is added, no key is held and no data is replaced; workers free keys all the same", async () => {
  const own = await startValkey();
  const full = await openStage({ valkeyUrl: own.url });
  const queue = full.keyline().queue<number>("full");
  const ways = [
    { deduplicate: { key: "new" } },
    { deduplicate: { key: "new", window: hour } },
    { deduplicate: { key: "new", window: hour, keep: "latest" } },
    { id: "own", deduplicate: { key: "own", window: hour } },
    { deduplicate: { key: "there", window: 1_000, keep: "latest" } },
  ] satisfies AddOptions[];
  const { id } = await queue.add(1, { deduplicate: { key: "there", window: 1_000, keep: "latest" } });
  await queue.add(2, { deduplicate: { key: "held" } });
  await full.valkey.config("SET", "maxmemory", "1");
  for (const options of ways) await expect(queue.add(3, options)).rejects.toThrow(/OOM/);
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("both have run", () => ran.length === 2);
  expect(ran).toEqual([2, 1]);
  await eventually("nothing is held", async () => (await queue.counts()).running === 0);
  await worker.stop();
  await full.valkey.config("SET", "maxmemory", "0");
  const added = await queue.addMany([...ways, { deduplicate: { key: "held" } }].map((options) => ({ data: 4, ...options })));
  expect(added.every((result) => result.added)).toBe(true);
  expect(added.map((result) => result.id)).not.toContain(id);
  await full.close();
  await own.stop();
}, 60_000);
