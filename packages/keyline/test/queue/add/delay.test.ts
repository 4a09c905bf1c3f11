import type { AddOptions, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])("a delay (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string): Queue<number> =>
    stage.keyline().queue<number>(`${name}-${transactional}`, { transactional } as { transactional: false });

  test("keeps a job until its time, and an idle worker runs it soon after", async () => {
    const queue = open("soon");
    const ran: { readonly data: number; readonly late: number }[] = [];
    const due = new Map<number, number>();
    const worker = queue.work(({ data }) => void ran.push({ data, late: Date.now() - (due.get(data) ?? 0) }));
    await queue.add(0);
    await eventually("the worker waits", () => ran.length === 1);
    // The later one first: what comes earlier is heard of as well.
    const delays = [600, 300, 450];
    for (const [index, delay] of delays.entries()) {
      due.set(index + 1, Date.now() + delay);
      await queue.add(index + 1, { delay });
    }
    await eventually("all are on Valkey", async () => (await queue.counts()).scheduled === 3);
    await eventually("all have run", () => ran.length === 4);
    expect(ran.slice(1).map(({ data }) => data)).toEqual([2, 3, 1]);
    for (const { late } of ran.slice(1)) expect(late).toBeGreaterThanOrEqual(-1);
    await worker.stop();
  });

  test("is given as a Date or as milliseconds since 1970, and a time that has passed is now", async () => {
    const queue = open("at");
    const ran: number[] = [];
    await queue.addMany([
      { data: 1, runAt: new Date(Date.now() + 2_400) },
      { data: 2, runAt: Date.now() + 1_200 },
      { data: 3, runAt: new Date(0) },
      { data: 4, delay: 0 },
    ]);
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("all have run", () => ran.length === 4);
    expect(ran).toEqual([3, 4, 2, 1]);
    await worker.stop();
  });

  test("keeps the order of times among all that are due, whatever else they are", async () => {
    const queue = open("mixed");
    const kinds: AddOptions[] = [{}, {}, { group: "a" }, {}, { priority: "low" }, { group: "b" }, { id: "own" }, {}];
    const at = Date.now() + 2_500;
    // Of a group the order is that of adding, and so is it of what is due at one time here.
    const added = await queue.addMany(kinds.map((kind, index) => ({ data: index, runAt: at + index, ...kind })));
    const last = await queue.add(kinds.length, { runAt: at + 100 });
    await eventually("all are on Valkey", async () => (await queue.counts()).scheduled === kinds.length + 1);
    expect(await queue.cancel(added[1]?.id ?? "")).toBe("scheduled");
    const ran: number[] = [];
    const worker = queue.work(({ data }) => void ran.push(data), { concurrency: 1 });
    await eventually("the last one has run", () => ran.includes(kinds.length));
    await eventually("nothing is left", async () => (await queue.counts()).waiting === 0);
    expect(last.added).toBe(true);
    expect(ran.filter((data) => kinds[data]?.priority === undefined)).toEqual([0, 2, 3, 5, 6, 7, 8]);
    expect(ran.toSorted((one, other) => one - other)).toEqual([0, 2, 3, 4, 5, 6, 7, 8]);
    await worker.stop();
  });

  test("is kept while nobody works, and across processes", async () => {
    const queue = open("kept");
    await queue.add(1, { delay: 200 });
    await queue.add(2, { delay: 3_600_000 });
    const ran: number[] = [];
    const worker = open("kept").work(({ data }) => void ran.push(data));
    await eventually("it has run", () => ran.length === 1);
    expect(ran).toEqual([1]);
    await eventually("the other one is left", async () => (await queue.counts()).scheduled === 1);
    await worker.stop();
  });

  test.each([
    [{ delay: -1 }, "delay"],
    [{ delay: Infinity }, "delay"],
    [{ delay: NaN }, "delay"],
    [{ delay: 315_360_000_001 }, "delay"],
    [{ delay: "soon" as never }, "delay"],
    [{ runAt: new Date(NaN) }, "runAt"],
    [{ runAt: -5 }, "runAt"],
    [{ runAt: Number.MAX_VALUE }, "runAt"],
    [{ runAt: "tomorrow" as never }, "runAt"],
    [{ delay: 1, runAt: 1 }, "delay and runAt"],
    [{ priority: "urgent" as never }, "priority"],
    [{ priority: 3 as never }, "priority"],
    [{ group: "" }, "group"],
    [{ group: "x".repeat(201) }, "group"],
    [{ group: 'a"b' }, "group"],
    [{ group: "a\nb" }, "group"],
    [{ group: 7 as never }, "group"],
  ] satisfies [AddOptions, string][])("refuses %j before anything is written", async (options, field) => {
    const queue = open("refused");
    const refusal: unknown = await queue.add(1, options).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(field) as string });
    await expect(queue.addMany([{ data: 1 }, { data: 2, ...options }])).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, blocked: 0 });
  });
});

test("a due time stands in the row, and survives the loss of Valkey", async () => {
  const queue = stage.keyline().queue<number>("lost", { transactional: true });
  const began = new Map<number, number>();
  await stage.keyline().transaction(async (tx) => {
    await queue.add(1, { tx, delay: 4_000 });
    await queue.add(2, { tx, runAt: Date.now() + 3_500 });
  });
  const { rows } = await stage.pool.query<{ data: number; due: number }>(
    "SELECT data, (extract(epoch FROM due_at) * 1000)::float8 AS due FROM keyline.job WHERE queue = 'lost'",
  );
  const due = new Map(rows.map((row) => [row.data, row.due]));
  expect(due.size).toBe(2);
  await eventually("they are on Valkey", async () => (await queue.counts()).scheduled === 2);
  await stage.valkey.del(await keysOf(stage, "lost"));
  // Whoever begins looks at once what Valkey has lost.
  const elsewhere = stage.keyline().queue<number>("lost", { transactional: true });
  const worker = elsewhere.work(async ({ data }) => {
    const [seconds = 0, micros = 0] = await stage.valkey.time();
    began.set(data, seconds * 1_000 + micros / 1_000);
  });
  await eventually("both have run", () => began.size === 2);
  for (const [data, at] of began) expect(at).toBeGreaterThanOrEqual(due.get(data) ?? Infinity);
  await worker.stop();
});

async function keysOf({ valkey, prefix }: Stage, queue: string): Promise<string[]> {
  return valkey.keys(`${prefix}:{${queue}}:*`);
}
