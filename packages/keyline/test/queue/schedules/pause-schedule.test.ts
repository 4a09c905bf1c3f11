import type { Queue, Schedule } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds, listed, openQueue, rewind, serverTime, type Numbered } from "../../support/schedule-stage.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

const hour = 3_600_000;
let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

async function scheduleOf(queue: Queue<Numbered, Numbered>, name: string): Promise<Schedule<Numbered> | undefined> {
  return (await listed(queue.schedules())).find((one) => one.name === name);
}

describe.each(kinds)("a schedule of $kind", ({ transactional }) => {
  /** Resolves when a schedule that is not paused has made five more ticks: whoever makes ticks had every opportunity. */
  async function othersTick(queue: Queue<Numbered, Numbered>): Promise<void> {
    await queue.schedule("others", { every: 100, data: { n: 0 } });
    const before = (await scheduleOf(queue, "others"))?.ticks ?? 0;
    await eventually("others tick", async () => ((await scheduleOf(queue, "others"))?.ticks ?? 0) >= before + 5);
  }

  test("makes no ticks while it is paused, and goes on when it is resumed", async () => {
    const queue = openQueue(stage.keyline(), transactional);
    await queue.schedule("pulse", { every: 100, data: { n: 1 } });
    const workers = [queue.work(() => undefined), queue.work(() => undefined)];
    await eventually("it ticks", async () => ((await scheduleOf(queue, "pulse"))?.ticks ?? 0) > 0);
    expect(await queue.pauseSchedule("pulse")).toBe(true);
    const paused = await scheduleOf(queue, "pulse");
    expect(paused).toMatchObject({ paused: true, nextAt: expect.any(Number) as number });
    await othersTick(queue);
    expect(await scheduleOf(queue, "pulse")).toEqual(paused);
    expect(await scheduleOf(queue, "others")).toMatchObject({ paused: false });
    expect(await queue.resumeSchedule("pulse")).toBe(true);
    await eventually("it goes on", async () => ((await scheduleOf(queue, "pulse"))?.ticks ?? 0) > (paused?.ticks ?? 0));
    expect(await scheduleOf(queue, "pulse")).toMatchObject({ paused: false });
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  test.each([
    ["once", [3]],
    ["skip", []],
    ["all", [0, 1, 2, 3]],
  ] as const)("with missed: %s makes of four ticks that were due while it was paused those with the numbers %j", async (missed, made) => {
    const queue = openQueue(stage.keyline(), transactional);
    const startAt = (await serverTime(stage, transactional)) - 10 * hour - hour / 2;
    const { nextAt = 0 } = await queue.schedule("hourly", { every: hour, startAt, missed, data: { n: 1 } });
    const due = [4, 3, 2, 1].map((before) => nextAt - before * hour);
    await rewind(stage, { queue: queue.name, transactional, name: "hourly", nextAt: due[0] ?? 0 });
    await queue.pauseSchedule("hourly");
    const ran: number[] = [];
    const worker = queue.work((job) => void (job.schedule?.name === "hourly" && ran.push(job.schedule.at)));
    await othersTick(queue);
    expect(ran).toEqual([]);
    await queue.resumeSchedule("hourly");
    await eventually("it has gone on", async () => ((await scheduleOf(queue, "hourly"))?.nextAt ?? 0) >= nextAt);
    await othersTick(queue);
    await eventually("they ran", () => ran.length === made.length);
    expect(ran.toSorted((one, other) => one - other)).toEqual(made.map((number) => due[number]));
    expect(await scheduleOf(queue, "hourly")).toMatchObject({ ticks: made.length, paused: false });
    await worker.stop();
  });

  test("stays paused however it is declared, until it is resumed or removed", async () => {
    const queue = openQueue(stage.keyline(), transactional);
    await queue.schedule("nightly", { every: hour, data: { n: 1 } });
    await queue.pauseSchedule("nightly");
    const paused = await scheduleOf(queue, "nightly");
    expect(await queue.schedule("nightly", { every: hour, data: { n: 1 } })).toEqual(paused);
    expect(await queue.schedule("nightly", { every: hour, data: { n: 2 } })).toMatchObject({
      paused: true,
      nextAt: paused?.nextAt,
      data: { n: 2 },
    });
    expect(await queue.schedule("nightly", { every: 2 * hour, data: { n: 2 } })).toMatchObject({ paused: true, every: 2 * hour });
    expect(await queue.unschedule("nightly")).toBe(true);
    expect(await queue.schedule("nightly", { every: hour, data: { n: 1 } })).toMatchObject({ paused: false });
  });

  test("says whether there is one, and may be paused and resumed twice, also when it is over", async () => {
    const queue = openQueue(stage.keyline(), transactional);
    expect(await queue.pauseSchedule("none")).toBe(false);
    expect(await queue.resumeSchedule("none")).toBe(false);
    await queue.schedule("short", { every: 100, limit: 1, data: { n: 1 } });
    const worker = queue.work(() => undefined);
    await eventually("it is over", async () => (await scheduleOf(queue, "short"))?.nextAt === undefined);
    expect(await Promise.all([queue.pauseSchedule("short"), queue.pauseSchedule("short")])).toEqual([true, true]);
    expect(await scheduleOf(queue, "short")).toMatchObject({ paused: true, nextAt: undefined, ticks: 1 });
    expect(await queue.resumeSchedule("short")).toBe(true);
    expect(await queue.resumeSchedule("short")).toBe(true);
    expect(await scheduleOf(queue, "short")).toMatchObject({ paused: false, nextAt: undefined, ticks: 1 });
    await worker.stop();
  });

  test("is run at once, also while it is paused, and its ticks stay as they are", async () => {
    const queue = openQueue(stage.keyline(), transactional);
    const before = await serverTime(stage, transactional);
    await queue.schedule("nightly", { every: hour, limit: 3, data: { n: 7 } });
    const ran: { readonly id: string; readonly n: number; readonly name: string | undefined; readonly at: number }[] = [];
    const worker = queue.work((job) => {
      ran.push({ id: job.id, n: job.data.n, name: job.schedule?.name, at: job.schedule?.at ?? 0 });
    });
    const declared = await scheduleOf(queue, "nightly");
    const ids = [(await queue.runSchedule("nightly")).id];
    expect(await scheduleOf(queue, "nightly")).toEqual(declared);
    await queue.pauseSchedule("nightly");
    ids.push((await queue.runSchedule("nightly")).id);
    await eventually("both ran", () => ran.length === 2);
    expect(ran.map(({ id }) => id)).toEqual(ids);
    for (const { n, name, at } of ran) {
      expect([n, name]).toEqual([7, "nightly"]);
      expect(at).toBeGreaterThanOrEqual(before);
    }
    expect(await scheduleOf(queue, "nightly")).toEqual({ ...declared, paused: true });
    await worker.stop();
  });

  test("of no name, or that is not there, is refused", async () => {
    const queue = openQueue(stage.keyline(), transactional);
    for (const act of ["pauseSchedule", "resumeSchedule", "runSchedule"] as const) {
      await expect(queue[act]("no name")).rejects.toMatchObject({ code: "INVALID_NAME" });
    }
    await expect(queue.runSchedule("none")).rejects.toMatchObject({ code: "UNKNOWN_SCHEDULE" });
    expect((await queue.counts()).waiting).toBe(0);
  });
});

test("a pause of a transactional queue's schedule outlives Valkey's memory", async () => {
  const queue = openQueue(stage.keyline(), true);
  await queue.schedule("nightly", { every: hour, data: { n: 1 } });
  await rewind(stage, { queue: queue.name, transactional: true, name: "nightly", nextAt: Date.now() - 2 * hour });
  await queue.pauseSchedule("nightly");
  const keys = await stage.valkey.keys(`${stage.prefix}:{${queue.name}}:*`);
  if (keys.length > 0) await stage.valkey.del(...keys);
  const ran: string[] = [];
  const worker = queue.work((job) => void ran.push(job.id));
  await queue.add({ n: 2 });
  await eventually("the other ran", () => ran.length === 1);
  expect(await scheduleOf(queue, "nightly")).toMatchObject({ paused: true, ticks: 0 });
  await worker.stop();
});
