import type { Keyline, Missed } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kinds, listed, openQueue, rewind, serverTime } from "../../support/schedule-stage.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const hour = 3_600_000;
const data = { n: 1 };

describe.each(kinds)("ticks that nobody made in time, on $kind", ({ transactional }) => {
  /** Declares an hourly schedule that was last looked at `hours` ago. Returns the times of the ticks that are due since. */
  async function missing(queue: ReturnType<typeof openQueue>, missed: Missed | undefined, hours: number): Promise<number[]> {
    const startAt = (await serverTime(stage, transactional)) - (hours - 0.5) * hour;
    await queue.schedule("hourly", { every: hour, startAt, data, ...(missed ? { missed } : {}) });
    const ats = Array.from({ length: hours }, (_, index) => startAt + index * hour);
    await rewind(stage, { queue: queue.name, transactional, name: "hourly", nextAt: startAt });
    return ats;
  }

  test.each<[Missed | undefined, (ats: number[]) => number[]]>([
    ["skip", () => []],
    [undefined, (ats) => ats.slice(-1)],
    ["once", (ats) => ats.slice(-1)],
    ["all", (ats) => ats],
  ])("%s", async (missed, expected) => {
    const queue = openQueue(keyline, transactional);
    const ats = await missing(queue, missed, 250);
    const seen: number[] = [];
    const workers = [1, 2, 3].map(() => queue.work((job) => void seen.push(job.schedule?.at ?? 0)));
    await eventually("it goes on", async () => ((await listed(queue.schedules()))[0]?.nextAt ?? 0) === (ats.at(-1) ?? 0) + hour);
    await eventually("all ran", () => seen.length >= expected(ats).length);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(seen.toSorted((one, other) => one - other)).toEqual(expected(ats));
    const [after] = await listed(queue.schedules());
    expect(after).toMatchObject({ ticks: expected(ats).length, lastAt: expected(ats).at(-1) });
    expect((await queue.counts()).waiting).toBe(0);
  });

  test("all of them run in their order", async () => {
    const queue = openQueue(keyline, transactional);
    const ats = await missing(queue, "all", 230);
    const seen: number[] = [];
    const worker = queue.work((job) => void seen.push(job.schedule?.at ?? 0));
    await eventually("all ran", () => seen.length >= ats.length);
    expect(seen).toEqual(ats);
    await worker.stop();
  });

  test("large data makes small pages of them", async () => {
    const queue = openQueue(keyline, transactional);
    const startAt = (await serverTime(stage, transactional)) - 5.5 * hour;
    const note = "x".repeat(900_000);
    await queue.schedule("large", { every: hour, startAt, data: { n: 1, note } as { n: number }, missed: "all" });
    await rewind(stage, { queue: queue.name, transactional, name: "large", nextAt: startAt });
    let runs = 0;
    const worker = queue.work(() => void runs++);
    await eventually("all ran", () => runs >= 6);
    await worker.stop();
    expect(runs).toBe(6);
  });

  test("those that are late by seconds are made, each of them, as when a worker is started anew", async () => {
    const queue = openQueue(keyline, transactional);
    const startAt = (await serverTime(stage, transactional)) - 2_250;
    await queue.schedule("seconds", { every: 500, startAt, endAt: startAt + 3_000, data, missed: "skip" });
    await rewind(stage, { queue: queue.name, transactional, name: "seconds", nextAt: startAt });
    const seen: number[] = [];
    const worker = queue.work((job) => void seen.push(job.schedule?.at ?? 0));
    const expected = Array.from({ length: 7 }, (_, index) => startAt + index * 500);
    await eventually("it is over", () => seen.length >= expected.length);
    expect(seen).toEqual(expected);
    await worker.stop();
  });
});
