import type { Keyline, LimitChanges, Queue, QueueOptions } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])("limits (transactional: $transactional)", ({ transactional }) => {
  // Workers of several processes, as far as limits know: each has connections of its own.
  const keylines = new Map<number, Keyline>();
  let opened = 0;
  const open = (name: string, options: Omit<QueueOptions, "schema" | "transactional"> = {}): Queue<number> => {
    const turn = opened++ % 3;
    const keyline = keylines.get(turn) ?? stage.keyline();
    keylines.set(turn, keyline);
    return keyline.queue<number>(`${name}-${transactional}`, { ...options, transactional } as { transactional: false });
  };

  test("let no more jobs run at a time than they say, over all workers, and as many", async () => {
    const queue = open("concurrency", { limits: { concurrency: 3 } });
    let running = 0;
    let most = 0;
    let ran = 0;
    const workers = [1, 2, 3, 4].map(() =>
      open("concurrency", { limits: { concurrency: 3 } }).work(
        async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 10));
          running--;
          ran++;
        },
        { concurrency: 10 },
      ),
    );
    await queue.addMany(Array.from({ length: 100 }, (_, data) => ({ data })));
    await eventually("all have run", () => ran === 100);
    expect(most).toBe(3);
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  test("are changed while workers run, each for itself, and taken away with null", async () => {
    const queue = open("changed");
    const held = gate();
    let running = 0;
    const worker = queue.work(
      async () => {
        running++;
        await held.opened;
      },
      { concurrency: 50 },
    );
    await queue.setLimits({ concurrency: 2, rate: { max: 1_000, per: 1_000 } });
    await queue.addMany(Array.from({ length: 20 }, (_, data) => ({ data })));
    await eventually("two run", () => running === 2);
    await queue.setLimits({ concurrency: 5 });
    expect(await queue.limits()).toEqual({ concurrency: 5, rate: { max: 1_000, per: 1_000 } });
    await eventually("five run", () => running === 5);
    await queue.setLimits({ concurrency: null, rate: null });
    expect(await queue.limits()).toEqual({});
    await eventually("all run", () => running === 20);
    held.open();
    await worker.stop();
  });

  test("a pause keeps all workers from beginning jobs, and lasts", async () => {
    const queue = open("paused");
    const ran: number[] = [];
    const workers = [1, 2].map(() => open("paused").work(({ data }) => void ran.push(data)));
    await queue.add(0);
    await eventually("they work", () => ran.length === 1);
    await queue.pause();
    await queue.addMany([{ data: 1 }, { data: 2, delay: 50 }]);
    expect(await queue.counts()).toMatchObject({ paused: true });
    const late = open("paused").work(({ data }) => void ran.push(data));
    await eventually("all wait", async () => (await queue.counts()).waiting === 2);
    expect(ran).toEqual([0]);
    await queue.resume();
    await eventually("they go on", () => ran.length === 3);
    expect(await queue.counts()).toMatchObject({ paused: false });
    await Promise.all([...workers, late].map((worker) => worker.stop()));
  });

  test("a pause of one group leaves the others alone", async () => {
    const queue = open("group-paused");
    const ran: string[] = [];
    const worker = queue.work(({ data, group = "" }) => void ran.push(`${group}${data}`), { concurrency: 4 });
    await queue.pause({ group: "a" });
    for (const data of [1, 2]) for (const group of ["a", "b"]) await queue.add(data, { group });
    await eventually("the other one runs", () => ran.length === 2);
    expect(ran).toEqual(["b1", "b2"]);
    const paused: unknown[] = [];
    for await (const group of queue.groups({ state: "paused" })) paused.push(group);
    expect(paused).toEqual([
      { name: "a", state: "paused", waiting: 2, blockedBy: undefined, since: undefined, cursor: expect.any(String) },
    ]);
    expect(await queue.counts()).toMatchObject({ blocked: 2 });
    await queue.resume({ group: "a" });
    await eventually("it goes on", () => ran.length === 4);
    expect(ran.slice(2)).toEqual(["a1", "a2"]);
    await worker.stop();
  });

  test("groups say which job they wait for", async () => {
    const queue = open("blocked");
    const held = gate();
    const worker = queue.work(() => held.opened, { concurrency: 2 });
    const { id } = await queue.add(1, { group: "g" });
    await queue.add(2, { group: "g" });
    await eventually("one waits", async () => (await queue.counts()).blocked === 1);
    for await (const group of queue.groups({ state: "blocked" })) {
      expect(group).toEqual({
        name: "g",
        state: "blocked",
        waiting: 1,
        blockedBy: id,
        since: expect.any(Number),
        cursor: expect.any(String),
      });
    }
    held.open();
    await eventually("all have run", async () => (await queue.counts()).running === 0 && (await queue.counts()).blocked === 0);
    await worker.stop();
  });

  test("the option of a queue lets jobs in that stand in their line already, and an iteration of groups ends at once", async () => {
    const held = gate();
    let running = 0;
    const first = open("raised");
    const worker = first.work(
      async () => {
        running++;
        await held.opened;
      },
      { concurrency: 5 },
    );
    await first.addMany([1, 2, 3].map((data) => ({ data, group: "g" })));
    await eventually("one runs", async () => running === 1 && (await first.counts()).blocked === 2);
    const again = stage.keyline().queue<number>(`raised-${transactional}`, {
      transactional,
      limits: { group: { concurrency: 2 } },
    } as { transactional: false });
    const other = again.work(() => held.opened);
    await eventually("another one runs", async () => (await first.counts()).blocked === 1);
    const groups = first.groups();
    const waiting = groups.next();
    expect(await groups.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toMatchObject({ done: true });
    held.open();
    await eventually("all have run", async () => (await first.counts()).running === 0);
    await Promise.all([worker.stop(), other.stop()]);
  });

  test.each([
    [{ concurrency: 0 }, "limits.concurrency"],
    [{ concurrency: 1.5 }, "limits.concurrency"],
    [{ rate: { max: 0, per: 1_000 } }, "limits.rate.max"],
    [{ rate: { max: 1, per: 0 } }, "limits.rate.per"],
    [{ rate: { max: 1 } as never }, "limits.rate.per"],
    [{ group: { concurrency: 0 } }, "limits.group.concurrency"],
    [{ group: { rate: { max: 1, per: -1 } } }, "limits.group.rate.per"],
    [{ speed: 1 } as never, "speed"],
  ] satisfies [LimitChanges, string][])("refuse %j before anything is written", async (changes, field) => {
    const queue = open("refused");
    const refusal: unknown = await queue.setLimits(changes).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(field) as string });
    expect(() => open("refused-2", { limits: changes })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(await queue.limits()).toEqual({});
  });
});

test("limits and pauses of a transactional queue survive the loss of Valkey", async () => {
  const queue = stage.keyline().queue<number>("kept", { transactional: true });
  await queue.setLimits({ concurrency: 7 });
  await queue.pause();
  await queue.pause({ group: "g" });
  await queue.add(1);
  await queue.add(2, { group: "g" });
  await eventually("they are on Valkey", async () => (await queue.counts()).waiting === 1);
  await stage.valkey.del(await stage.valkey.keys(`${stage.prefix}:{kept}:*`));
  const ran: number[] = [];
  const worker = queue.work(({ data }) => void ran.push(data));
  await eventually("it is as before", async () => (await queue.counts()).waiting === 1);
  expect(await queue.limits()).toEqual({ concurrency: 7 });
  expect(await queue.counts()).toMatchObject({ paused: true, blocked: 1 });
  expect(ran).toEqual([]);
  await queue.resume();
  await queue.resume({ group: "g" });
  await eventually("all have run", () => ran.length === 2);
  await worker.stop();
});
