import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])("counts (transactional: $transactional)", ({ transactional }) => {
  test("say when the next job was added, also behind those that were cancelled", async () => {
    const queue = stage.keyline().queue<number>(`cancelled-${transactional}`, { transactional } as { transactional: false });
    const jobs = await queue.addMany(Array.from({ length: 4_000 }, (_, data) => ({ data })));
    await eventually("all wait", async () => (await queue.counts()).waiting === 4_000);
    await queue.pause();
    const waiting = `${stage.prefix}:{${queue.name}}:waiting`;
    // Those in the middle leave something in their places, and then stand at the end.
    expect(await queue.cancel({ ids: jobs.slice(1_200, 2_800).map(({ id }) => id) })).toBe(1_600);
    expect(Number(await stage.valkey.get(`${stage.prefix}:{${queue.name}}:stubs`))).toBeGreaterThan(500);
    await stage.valkey.ltrim(waiting, 0, -1_201);
    const { waiting: left, oldestWaitingAt } = await queue.counts();
    expect(left).toBe(1_200);
    const next = (await stage.valkey.lrange(waiting, 0, -1)).findLast((raw) => !raw.includes('"cancelled"'));
    expect(JSON.parse(next ?? "{}")).toMatchObject({ at: oldestWaitingAt ?? expect.any(Number) });
    expect(oldestWaitingAt).toBeDefined();
    await stage.valkey.ltrim(waiting, 1_200, -1);
    expect((await queue.counts()).oldestWaitingAt).toBeUndefined();
    await stage.valkey.del(`${stage.prefix}:{${queue.name}}:stubs`);
  });
});

test("counts have jobs that sleep or wait for a signal as parked, and not as scheduled", async () => {
  const queue = stage.keyline().queue<string>("parked", { transactional: true });
  const worker = queue.work(async (job) => {
    if (job.data === "sleeps") await job.sleep("long", 60_000);
    if (job.data === "waits") await job.signalled("go");
  });
  const [, waits] = await queue.addMany([{ data: "sleeps" }, { data: "waits" }, { data: "later", delay: 60_000 }]);
  await eventually("two are parked", async () => (await queue.counts()).parked === 2);
  await eventually("one is scheduled", async () => (await queue.counts()).scheduled === 1);
  await queue.signal(waits?.id ?? "", "go");
  await eventually("one is left", async () => (await queue.counts()).parked === 1);
  await eventually("it ran", async () => (await queue.counts()).running === 0);
  expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 1, parked: 1, blocked: 0, dead: 0 });
  await worker.stop();
});
