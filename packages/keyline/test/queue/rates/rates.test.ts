import { Discard, type Job, type Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("rates of a %s queue", (kind, transactional) => {
  test("count what is added, completed, tried in vain and dead, and how long it took, over all processes", async () => {
    const rules = { transactional, maxAttempts: 2, backoff: { type: "fixed", delay: 1, jitter: 0 } } as const;
    const adding = stage.keyline();
    const working = stage.keyline();
    const worker = openEither<string>(working, `${kind}-counted`, rules).work(
      async (job: Job<string>) => {
        if (job.data === "slow") await new Promise((resolve) => setTimeout(resolve, 40));
        if (job.data === "dies") throw new Error("never");
        if (job.data === "discarded") throw new Discard("no use");
      },
      { concurrency: 10 },
    );
    const queue = openEither<string>(adding, `${kind}-counted`, rules);
    // What is added before both stores know the queue may be delivered twice.
    const known = "SELECT FROM keyline.queue WHERE name = $1 AND rebuilt_epoch = epoch";
    if (transactional) {
      await eventually("it is known", async () => (await stage.pool.query(known, [queue.name])).rows.length === 1);
    }
    await queue.addMany([...Array.from({ length: 20 }, () => "good"), "slow", "slow", "dies", "discarded"].map((data) => ({ data })));
    await queue.add("good", { id: "once" });
    await eventually("all have ended", async () => {
      const { waiting, running, scheduled, dead } = await queue.counts();
      return waiting + running + scheduled === 0 && dead === 2;
    });
    // What is counted is written down now.
    await worker.stop();
    await Promise.all([adding.close(), working.close()]);
    const { minutes, total } = await openEither<string>(keyline, `${kind}-counted`, rules).rates();
    expect(total).toMatchObject({ added: 25, completed: 23, failed: 3, retried: 1, dead: 2 });
    expect(total.run.count).toBe(26);
    expect(total.wait.count).toBe(25);
    expect(total.run.buckets.filter(({ belowMs }) => belowMs >= 64).reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(2);
    expect(total.run.p99).toBeGreaterThanOrEqual(64);
    expect(minutes).toHaveLength(60);
    for (const [index, { at }] of minutes.entries()) expect(at).toBe((minutes[0]?.at ?? 0) + index * 60_000);
    expect(minutes.slice(-3).reduce((sum, minute) => sum + minute.completed, 0)).toBe(23);
  });

  test("count a job that died before it could be run", async () => {
    const [adding, working] = [stage.keyline(), stage.keyline()];
    const queue = openEither<string>(adding, `${kind}-unreadable`, { transactional });
    await stage.valkey.lpush(`${stage.prefix}:{${queue.name}}:waiting`, "no element");
    const worker = openEither<string>(working, queue.name, { transactional }).work(() => undefined);
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    await worker.stop();
    await Promise.all([adding.close(), working.close()]);
    const { total } = await openEither<string>(keyline, queue.name, { transactional }).rates();
    expect(total).toMatchObject({ dead: 1, failed: 0, completed: 0 });
  });

  test("are written every few seconds, and nothing is while nothing happens", async () => {
    const queue = openEither<string>(keyline, `${kind}-written`, { transactional });
    const worker = queue.work(() => undefined);
    await queue.add("x");
    await eventually("it is written", async () => (await queue.rates()).total.completed === 1);
    const keys = await stage.valkey.keys(`${stage.prefix}:{${queue.name}}:rates:*`);
    // Of the minute, the hour, and how much there was; at their turn of two each.
    expect(keys.length).toBeLessThanOrEqual(6);
    for (const key of keys) expect(await stage.valkey.pttl(key)).toBeGreaterThan(24 * 3_600_000);
    await worker.stop();
  });

  test("go back for a day, and are empty where nothing was done", async () => {
    const queue = openEither<string>(keyline, `${kind}-empty`, { transactional });
    const { minutes, total } = await queue.rates({ minutes: 1_440 });
    expect(minutes).toHaveLength(1_440);
    const nothing = { count: 0, p50: undefined, p95: undefined, p99: undefined, buckets: [] };
    const none = { added: 0, completed: 0, failed: 0, retried: 0, dead: 0, cancelled: 0, leasesLost: 0, rescued: 0, overtaken: 0 };
    expect(total).toEqual({ ...none, run: nothing, wait: nothing });
    await expect(queue.rates({ minutes: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(queue.rates({ days: 1 } as object)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});
