import { type Keyline, type KeylineError, type Schedule, type ScheduleOptions } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { kinds, listed, openQueue, rewind, serverTime, type Numbered } from "../../support/schedule-stage.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const data = { n: 1 };
const hour = 3_600_000;

describe.each(kinds)("schedules of $kind", ({ transactional }) => {
  /** Four processes, as far as the servers can tell, declare the same five times each. */
  async function declareByMany(name: string): Promise<Schedule<Numbered>[]> {
    const queues = Array.from({ length: 4 }, () => stage.keyline().queue<Numbered>(name, { lease: 1_000, transactional } as object));
    const rounds = Array.from({ length: 5 }, () => queues).flat();
    return Promise.all(rounds.map(async (queue) => queue.schedule("same", { every: hour, data })));
  }

  test("a worker gets each tick as a job that says which it is, not before its time, and once", async () => {
    const queue = openQueue(keyline, transactional);
    const seen: { readonly id: string; readonly at: number; readonly name: string; readonly n: number; readonly addedAt: number }[] = [];
    const startAt = (await serverTime(stage, transactional)) - 10_000;
    const worker = queue.work(({ id, schedule, data: { n }, addedAt }) => {
      seen.push({ id, at: schedule?.at ?? 0, name: schedule?.name ?? "", n, addedAt });
    });
    const declared = await queue.schedule("often", { every: 300, startAt, data: { n: 7 }, limit: 4, missed: "all" });
    const { nextAt: first = 0 } = declared;
    expect(first).toBeGreaterThan(startAt + 9_999);
    expect((first - startAt) % 300).toBe(0);
    expect(declared).toEqual({
      name: "often",
      cron: undefined,
      timezone: undefined,
      every: 300,
      data: { n: 7 },
      startAt,
      endAt: undefined,
      limit: 4,
      missed: "all",
      nextAt: first,
      paused: false,
      lastAt: undefined,
      ticks: 0,
    });
    await eventually("four ticks ran", () => seen.length >= 4);
    const ats = [0, 1, 2, 3].map((tick) => first + tick * 300);
    expect(seen).toEqual(ats.map((at) => ({ id: `often:${at}`, at, name: "often", n: 7, addedAt: expect.any(Number) as number })));
    for (const { at, addedAt } of seen) expect(addedAt).toBeGreaterThanOrEqual(at);
    const [over] = await listed(queue.schedules());
    expect(over).toMatchObject({ name: "often", nextAt: undefined, lastAt: first + 900, ticks: 4 });
    await worker.stop();
    expect(seen).toHaveLength(4);
  });

  test("of many schedules that tick at the same moment each has its job, once", async () => {
    const queue = openQueue(keyline, transactional);
    const names = Array.from({ length: 200 }, (_, n) => `many-${n}`);
    await Promise.all(names.map(async (name) => queue.schedule(name, { every: hour, data })));
    const nextAt = await serverTime(stage, transactional);
    await Promise.all(names.map(async (name) => rewind(stage, { queue: queue.name, transactional, name, nextAt })));
    const ran: string[] = [];
    const workers = [1, 2, 3].map(() => queue.work((job) => void ran.push(job.schedule?.name ?? "")));
    await eventually("all ran", () => ran.length >= names.length, 60_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(ran.toSorted()).toEqual(names.toSorted());
  }, 120_000);

  test("what somebody adds is no tick", async () => {
    const queue = openQueue(keyline, transactional);
    const schedules: unknown[] = [];
    const worker = queue.work((job) => void schedules.push(job.schedule));
    await queue.add(data);
    await eventually("it ran", () => schedules.length === 1);
    expect(schedules).toEqual([undefined]);
    await worker.stop();
  });

  test("a tick that fails is tried again, dies and is redriven as the same tick", async () => {
    const queue = openQueue(keyline, transactional, { maxAttempts: 2, backoff: { type: "fixed", delay: 1 } });
    const seen: (number | undefined)[] = [];
    let isMended = false;
    const worker = queue.work((job) => {
      seen.push(job.schedule?.at);
      if (!isMended) throw new Error("not yet");
    });
    const dead = new Promise<void>((resolve) => worker.on("dead", () => resolve()));
    const completed = new Promise<void>((resolve) => worker.on("completed", () => resolve()));
    const { nextAt } = await queue.schedule("one", { every: 200, limit: 1, data });
    await dead;
    isMended = true;
    expect(await queue.redrive({ all: true })).toBe(1);
    await completed;
    expect(seen).toEqual([nextAt, nextAt, nextAt]);
    await worker.stop();
  });

  test("they are listed by their names, with what was declared", async () => {
    const queue = openQueue(keyline, transactional);
    expect(await listed(queue.schedules())).toEqual([]);
    const endAt = new Date("2999-01-01T00:00:00Z");
    await queue.schedule("b", { cron: " 0  3 * * MON-FRI ", timezone: "Europe/Berlin", endAt, missed: "all", data });
    await queue.schedule("a", { every: hour, startAt: new Date(5), data });
    for (let n = 0; n < 120; n++) await queue.schedule(`c${n}`, { every: hour, data: { n } });
    const all = await listed(queue.schedules());
    expect(all).toHaveLength(122);
    expect(all.map(({ name }) => name)).toEqual(all.map(({ name }) => name).toSorted());
    expect(all[0]).toMatchObject({ name: "a", every: hour, startAt: 5, missed: "once", ticks: 0, lastAt: undefined });
    expect(((all[0]?.nextAt ?? 0) - 5) % hour).toBe(0);
    expect(all[1]).toMatchObject({
      name: "b",
      cron: "0 3 * * MON-FRI",
      timezone: "Europe/Berlin",
      endAt: endAt.getTime(),
      missed: "all",
      data,
    });
  });

  test("one that is ended has no more ticks", async () => {
    const queue = openQueue(keyline, transactional);
    let runs = 0;
    const worker = queue.work(() => void runs++);
    await queue.schedule("ended", { every: 200, data });
    await eventually("it ticks", () => runs > 0);
    expect(await queue.unschedule("ended")).toBe(true);
    expect(await queue.unschedule("ended")).toBe(false);
    expect(await listed(queue.schedules())).toEqual([]);
    await eventually("what was added has run", async () => (await queue.counts()).waiting === 0);
    const ran = runs;
    // Another schedule shows that time passes.
    await queue.schedule("other", { every: 300, limit: 2, data });
    await eventually("the other one is over", () => runs >= ran + 2);
    expect(runs).toBe(ran + 2);
    await worker.stop();
  });

  test("a declaration that changes nothing neither doubles nor resets, whoever makes it", async () => {
    const queue = openQueue(keyline, transactional);
    const first = await queue.schedule("same", { every: hour, data });
    const again = await declareByMany(queue.name);
    for (const one of again) expect(one).toEqual(first);
    expect(await listed(queue.schedules())).toEqual([first]);
  });

  test("of many that declare it first at the same moment one does", async () => {
    const { name } = openQueue(keyline, transactional);
    const declared = await declareByMany(name);
    expect(new Set(declared.map(({ nextAt }) => nextAt)).size).toBe(1);
  });

  test("with other data or another end the ticks that are due or to come stay what they were", async () => {
    const queue = openQueue(keyline, transactional);
    const { nextAt = 0 } = await queue.schedule("changed", { every: hour, data: { n: 1 } });
    await rewind(stage, { queue: queue.name, transactional, name: "changed", nextAt: nextAt - hour });
    const changed = await queue.schedule("changed", { every: hour, data: { n: 2 }, endAt: nextAt + 10 * hour });
    expect(changed).toMatchObject({ nextAt: nextAt - hour, data: { n: 2 } });
    const seen: unknown[] = [];
    const worker = queue.work((job) => void seen.push([job.schedule?.at, job.data.n]));
    await eventually("the tick that was due ran", () => seen.length > 0);
    expect(seen).toEqual([[nextAt - hour, 2]]);
    await worker.stop();
  });

  test("with other times it begins anew: what was due before is dropped", async () => {
    const queue = openQueue(keyline, transactional);
    const { nextAt = 0 } = await queue.schedule("moved", { every: hour, data, missed: "all" });
    await rewind(stage, { queue: queue.name, transactional, name: "moved", nextAt: nextAt - 10 * hour });
    const before = await serverTime(stage, transactional);
    const moved = await queue.schedule("moved", { every: 2 * hour, data, missed: "all" });
    expect(moved.nextAt).toBeGreaterThanOrEqual(before + 2 * hour);
    expect(moved.ticks).toBe(0);
    const seen: unknown[] = [];
    const worker = queue.work((job) => void seen.push(job.schedule?.name));
    await queue.schedule("proof", { every: 300, limit: 1, data });
    await eventually("the worker makes ticks", () => seen.length > 0);
    expect(seen).toEqual(["proof"]);
    await worker.stop();
  });

  test("a start in the past brings no ticks of the past, and does not reset a cron at each declaration", async () => {
    const queue = openQueue(keyline, transactional);
    const now = await serverTime(stage, transactional);
    const counted = await queue.schedule("counted", { every: hour, startAt: now - 10.5 * hour, data, missed: "all" });
    expect(counted.nextAt).toBe(now + 0.5 * hour);
    await queue.schedule("cron", { cron: "0 0 1 1 *", startAt: now - hour, data });
    const name = { queue: queue.name, transactional, name: "cron" };
    await rewind(stage, { ...name, nextAt: now - 60_000 });
    expect((await queue.schedule("cron", { cron: "0 0 1 1 *", startAt: now - 1, data })).nextAt).toBe(now - 60_000);
    const later = now + 10 * 366 * 24 * hour;
    expect((await queue.schedule("cron", { cron: "0 0 1 1 *", startAt: later, data })).nextAt).toBeGreaterThanOrEqual(later);
  });

  test("one whose limit is reached stays over when it is declared again, and goes on with a higher one", async () => {
    const queue = openQueue(keyline, transactional);
    let runs = 0;
    const worker = queue.work(() => void runs++);
    await queue.schedule("limited", { every: 100, limit: 2, data });
    await eventually("it is over", async () => (await listed(queue.schedules()))[0]?.nextAt === undefined);
    expect(await queue.schedule("limited", { every: 100, limit: 2, data })).toMatchObject({ nextAt: undefined, ticks: 2 });
    await expect(queue.schedule("limited", { every: 100, limit: 1, data })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("limit") as string,
    });
    await queue.schedule("limited", { every: 100, limit: 3, data });
    await eventually("it is over again", async () => (await listed(queue.schedules()))[0]?.nextAt === undefined);
    await eventually("all ran", () => runs >= 3);
    expect(runs).toBe(3);
    await worker.stop();
  });

  test.each<[field: string, options: object]>([
    ["cron or every", { data }],
    ["cron or every", { cron: "0 3 * * *", every: hour, data }],
    ["cron must have 5 fields", { cron: "0 3 * *", data }],
    ["cron must have 5 fields", { cron: "0 0 0 3 * * 2020", data }],
    ["cron must have 5 fields", { cron: "@daily", data }],
    ["cron is not valid", { cron: "60 3 * * *", data }],
    ["cron is not valid", { cron: "a b c d e", data }],
    ["cron must be a text", { cron: 5, data }],
    ["cron must be a text", { cron: `0 3 * * ${"1,".repeat(300)}1`, data }],
    ["cron never comes", { cron: "0 3 30 2 *", data }],
    ["timezone must be", { cron: "0 3 * * *", timezone: "Nowhere/Land", data }],
    ["timezone must be", { cron: "0 3 * * *", timezone: "", data }],
    ["timezone must be", { cron: "0 3 * * *", timezone: 5, data }],
    ["timezone goes with cron", { every: hour, timezone: "UTC", data }],
    ["every must be", { every: 99, data }],
    ["every must be", { every: 1e12, data }],
    ["every must be", { every: Number.NaN, data }],
    ["every must be", { every: Infinity, data }],
    ["every must be", { every: "1000", data }],
    ["startAt must be", { every: hour, startAt: new Date("never"), data }],
    ["startAt must be", { every: hour, startAt: -1, data }],
    ["startAt must be", { every: hour, startAt: 1e18, data }],
    ["startAt must be", { every: hour, startAt: "2030-01-01", data }],
    ["endAt must be", { every: hour, endAt: Infinity, data }],
    ["endAt must be later", { every: hour, startAt: 5_000, endAt: 5_000, data }],
    ["endAt must leave time", { every: hour, endAt: 5_000, data }],
    ["endAt must leave time", { cron: "0 0 29 2 *", startAt: Date.UTC(2033, 0), endAt: Date.UTC(2035, 0), data }],
    ["limit must be", { every: hour, limit: 0, data }],
    ["limit must be", { every: hour, limit: -1, data }],
    ["limit must be", { every: hour, limit: 1.5, data }],
    ["missed must be", { every: hour, missed: "some", data }],
    ['no option "tz"', { cron: "0 3 * * *", tz: "UTC", data }],
    ["schedule needs options", "0 3 * * *" as unknown as object],
  ])("%s: %j is refused before anything is written", async (field, options) => {
    const queue = openQueue(keyline, transactional);
    const refused = await queue.schedule("bad", options as ScheduleOptions<Numbered>).catch((error: unknown) => error as KeylineError);
    expect(refused).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(field) as string });
    expect(await listed(queue.schedules())).toEqual([]);
  });

  test.each(["", "a b", "a{b}", "a".repeat(151), "a\n", 5])("the name %j is refused", async (name) => {
    const queue = openQueue(keyline, transactional);
    await expect(queue.schedule(name as string, { every: hour, data })).rejects.toMatchObject({ code: "INVALID_NAME" });
    await expect(queue.unschedule(name as string)).rejects.toMatchObject({ code: "INVALID_NAME" });
  });

  test("the data is checked as that of any job", async () => {
    const schema = z.object({ n: z.number().refine(async (n) => Promise.resolve(n < 10)), note: z.string().optional() });
    const queue = keyline.queue(`checked-${transactional}`, { schema, maxPayloadBytes: 100, transactional } as object);
    const refusals: [unknown, string][] = [
      [{ n: 10 }, "VALIDATION_FAILED"],
      [undefined, "VALIDATION_FAILED"],
      [{ n: 1, note: "x".repeat(100) }, "PAYLOAD_TOO_LARGE"],
    ];
    for (const [bad, code] of refusals) await expect(queue.schedule("checked", { every: hour, data: bad })).rejects.toMatchObject({ code });
    expect(await listed(queue.schedules())).toEqual([]);
    await queue.schedule("checked", { every: hour, data: { n: 9 } });
  });
});

test("a Keyline that was closed declares nothing", async () => {
  const closed = stage.keyline();
  const queue = closed.queue<Numbered>("closed");
  await closed.close();
  await expect(queue.schedule("late", { every: hour, data })).rejects.toMatchObject({ code: "CLOSED" });
  await expect(queue.unschedule("late")).rejects.toMatchObject({ code: "CLOSED" });
  expect(() => queue.schedules()).toThrow(expect.objectContaining({ code: "CLOSED" }) as Error);
});
