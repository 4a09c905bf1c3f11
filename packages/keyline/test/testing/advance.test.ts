import type { Job, Tick } from "keyline";
import { createTestKeyline, type TestKeyline } from "keyline/testing";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openEither } from "../support/either-queue.ts";
import { eventually } from "../support/stage.ts";

let t: TestKeyline;
beforeEach(async () => {
  t = await createTestKeyline();
});
afterEach(() => t.close());

const hour = 3_600_000;
const day = 24 * hour;
const drained = async (): Promise<unknown[]> => (await t.drain()).map(({ data }) => data);

describe.each([{ transactional: false }, { transactional: true }])("with transactional: $transactional", ({ transactional }) => {
  test("what is delayed runs when its time has come, and not before", async () => {
    const queue = openEither<string>(t.keyline, "reminders", { transactional });
    queue.work(() => undefined);
    await queue.add("tomorrow", { delay: day });
    await queue.add("in an hour", { delay: hour });
    await queue.add("in two", { runAt: new Date(Date.now() + 2 * hour) });
    await t.advance(hour - 60_000);
    expect(await drained()).toEqual([]);
    await t.advance(60_000);
    expect(await drained()).toEqual(["in an hour"]);
    await t.advance(hour);
    expect(await drained()).toEqual(["in two"]);
    await t.advance(day);
    expect(await drained()).toEqual(["tomorrow"]);
  });

  test("what becomes due in between comes in the order of its time", async () => {
    const queue = openEither<string>(t.keyline, "order", { transactional });
    queue.work(() => undefined);
    await queue.addMany([3, 1, 2].map((minutes) => ({ data: `after ${minutes}`, delay: minutes * 60_000 })));
    await queue.schedule("ticks", { every: 90_000, startAt: Date.now() + 90_000, data: "tick", limit: 1 });
    await t.advance(day);
    expect(await drained()).toEqual(["after 1", "tick", "after 2", "after 3"]);
  });

  test("attempts that failed are tried again after their wait, to the dead letter", async () => {
    const queue = openEither<string>(t.keyline, "failing", {
      transactional,
      maxAttempts: 3,
      backoff: { type: "fixed", delay: hour, jitter: 0 },
    });
    queue.work((job: Job<string>) => {
      throw new Error(`attempt ${job.attempt}`);
    });
    await queue.add("a");
    const outcomes: string[] = [];
    for (let n = 0; n < 4; n++) {
      for (const { attempt, outcome } of await t.drain()) outcomes.push(`${attempt} ${outcome}`);
      expect(await t.drain()).toEqual([]);
      await t.advance(hour);
    }
    expect(outcomes).toEqual(["1 retried", "2 retried", "3 dead"]);
    for await (const letter of queue.deadLetters())
      expect(letter.history?.map(({ error }) => error)).toEqual(["Error: attempt 1", "Error: attempt 2", "Error: attempt 3"]);
  });

  test("schedules tick at each of their times, as they would with a worker that is there all the time", async () => {
    const queue = openEither<string>(t.keyline, "scheduled", { transactional });
    queue.work(() => undefined);
    const { nextAt = 0 } = await queue.schedule("minutely", { every: 60_000, data: "minute" });
    await t.drain();
    await t.advance(hour);
    const ran = await t.drain();
    expect(ran.map(({ schedule }) => schedule)).toEqual(
      Array.from({ length: 60 }, (_, n): Tick => ({ name: "minutely", at: nextAt + n * 60_000 })),
    );
    await queue.unschedule("minutely");
    await t.advance(hour);
    expect(await t.drain()).toEqual([]);
  });

  test("time passes for the line of a group in which one was cancelled, whatever the group is called", async () => {
    const queue = openEither<string>(t.keyline, "line", { transactional });
    queue.work(() => undefined);
    const group = "700|x";
    await queue.pause({ group });
    for (const data of ["a", "b", "c"]) await queue.add(data, { id: data, group });
    await queue.add("later", { group, delay: hour });
    expect(await queue.cancel("b")).toBe("waiting");
    await t.advance(100);
    await queue.resume({ group });
    expect(await drained()).toEqual(["a", "c"]);
    await t.advance(hour);
    expect(await drained()).toEqual(["later"]);
  });

  test("a cron ticks by the clock of its time zone, however the time has come there", async () => {
    const queue = openEither<string>(t.keyline, "reports", { transactional });
    queue.work(() => undefined);
    const { nextAt = 0 } = await queue.schedule("nightly", { cron: "0 3 * * *", timezone: "America/New_York", data: "report" });
    const local = new Intl.DateTimeFormat("en", { timeZone: "America/New_York", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const ats: number[] = [];
    // Odd steps: a clock that was only wound forward by them would come by three o'clock at other times.
    for (let passed = 0; passed < 3 * day; passed += 7 * hour) {
      await t.advance(7 * hour);
      for (const { schedule } of await t.drain()) ats.push(schedule?.at ?? 0);
    }
    expect(ats.length).toBeGreaterThanOrEqual(3);
    expect(ats[0]).toBe(nextAt);
    expect(ats.map((at) => local.format(at))).toEqual(ats.map(() => "03:00"));
    expect(new Set(ats).size).toBe(ats.length);
    for await (const schedule of queue.schedules()) expect(schedule).toMatchObject({ ticks: ats.length, lastAt: ats.at(-1) });
  });

  test("what no worker was there to make is missed, as it would be", async () => {
    const queue = openEither<string>(t.keyline, "unattended", { transactional });
    await queue.schedule("all", { every: hour, startAt: Date.now() + hour, missed: "all", data: "all" });
    await queue.schedule("once", { every: hour, startAt: Date.now() + hour, missed: "once", data: "once" });
    await queue.schedule("skip", { every: hour, startAt: Date.now() + hour, missed: "skip", data: "skip" });
    await t.advance(3 * hour + 60_000);
    queue.work(() => undefined);
    expect((await drained()).map(String).sort()).toEqual(["all", "all", "all", "once"]);
  });

  test("a schedule that is declared later, and one with an end, go by the time that it is by then", async () => {
    const queue = openEither<string>(t.keyline, "later", { transactional });
    queue.work(() => undefined);
    await t.advance(10 * day);
    const { nextAt = 0 } = await queue.schedule("new", {
      every: hour,
      startAt: Date.now() + 10 * day + hour,
      endAt: Date.now() + 10 * day + 2 * hour + 1_000,
      data: "new",
    });
    expect(await drained()).toEqual([]);
    await t.advance(5 * hour);
    const ran = await t.drain();
    expect(ran.map(({ schedule }) => schedule?.at)).toEqual([nextAt, nextAt + hour]);
  });

  test("a worker's own ticker goes by the new time too", async () => {
    await using live = await createTestKeyline({ live: true });
    const queue = openEither<string>(live.keyline, "live", { transactional });
    const seen: string[] = [];
    queue.work((job: Job<string>) => void seen.push(job.data));
    await queue.schedule("soon", { every: hour, startAt: Date.now() + hour, data: "tick" });
    await live.advance(hour - 300);
    await eventually("it ticks by itself", () => seen.length === 1);
  });

  test("keys of jobs are held for their time", async () => {
    const queue = openEither<string>(t.keyline, "deduplicated", { transactional });
    queue.work(() => undefined);
    const deduplicate = { key: "user-7", window: hour };
    expect(await queue.add("a", { deduplicate })).toMatchObject({ added: true });
    expect(await drained()).toEqual(["a"]);
    await t.advance(hour - 60_000);
    expect(await queue.add("b", { deduplicate })).toMatchObject({ added: false });
    await t.advance(60_000);
    expect(await queue.add("c", { deduplicate })).toMatchObject({ added: true });
    expect(await drained()).toEqual(["c"]);
  });

  test("a debounce runs the latest data once nothing has come for its window", async () => {
    for (const group of [undefined, "group"]) {
      const queue = openEither<string>(t.keyline, `debounced-${group ?? "alone"}`, { transactional });
      queue.work(() => undefined);
      const options = { deduplicate: { key: "doc-1", window: hour, keep: "latest" as const }, ...(group === undefined ? {} : { group }) };
      await queue.add("first", options);
      await t.advance(hour / 2);
      await queue.add("second", options);
      await t.advance(hour / 2);
      expect(await drained()).toEqual([]);
      await queue.add("third", options);
      await t.advance(hour - 60_000);
      expect(await drained()).toEqual([]);
      await t.advance(60_000);
      expect(await drained()).toEqual(["third"]);
      await queue.add("fourth", options);
      await t.advance(hour);
      expect(await drained()).toEqual(["fourth"]);
    }
  });

  test("a debounce in the line of its group", async () => {
    const queue = openEither<string>(t.keyline, "debounced-in-line", { transactional });
    queue.work(() => undefined);
    const options = { deduplicate: { key: "doc-1", window: hour, keep: "latest" as const }, group: "g" };
    await queue.add("before", { group: "g", delay: 2 * hour });
    await queue.add("first", options);
    await t.advance(hour / 2);
    expect(await queue.add("second", options)).toMatchObject({ added: false });
    await t.advance(hour);
    expect(await drained()).toEqual([]);
    await t.advance(hour / 2);
    expect(await drained()).toEqual(["before", "second"]);
  });

  test("results are remembered for their time", async () => {
    const queue = openEither<string>(t.keyline, "results", { transactional, keepResult: hour });
    queue.work((job: Job<string>) => `${job.data}!`);
    await queue.add("a", { id: "a1" });
    await t.drain();
    await t.advance(hour - 60_000);
    expect(await queue.waitFor("a1")).toBe("a!");
    await t.advance(60_000);
    await expect(queue.waitFor("a1")).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
  });

  test("rates of the queue and of its groups make room again", async () => {
    const queue = openEither<number>(t.keyline, "rated", { transactional, limits: { rate: { max: 2, per: hour } } });
    queue.work(() => undefined, { concurrency: 5 });
    await queue.addMany([1, 2, 3, 4, 5].map((data) => ({ data })));
    const counts: number[] = [];
    for (let n = 0; n < 4; n++) {
      counts.push((await t.drain()).length);
      // The window of a rate is a little longer than asked for.
      await t.advance(hour + 60_000);
    }
    expect(counts).toEqual([2, 2, 1, 0]);
    const grouped = openEither<number>(t.keyline, "grouped", { transactional, limits: { group: { rate: { max: 1, per: hour } } } });
    grouped.work(() => undefined, { concurrency: 5 });
    await grouped.addMany([1, 2, 3, 4].map((data) => ({ data, group: `g${data % 2}` })));
    expect((await drained()).map(String).sort()).toEqual(["1", "2"]);
    expect(await drained()).toEqual([]);
    await t.advance(hour / 2);
    expect(await drained()).toEqual([]);
    await t.advance(hour / 2 + 60_000);
    expect((await drained()).map(String).sort()).toEqual(["3", "4"]);
  });

  test("a job of a group that waits for its time, and those behind it", async () => {
    const queue = openEither<string>(t.keyline, "lines", { transactional });
    queue.work(() => undefined);
    await queue.add("first", { group: "g" });
    await queue.add("later", { group: "g", delay: hour });
    await queue.add("last", { group: "g" });
    expect(await drained()).toEqual(["first"]);
    await t.advance(hour);
    expect(await drained()).toEqual(["later", "last"]);
  });

  test("leases and time limits do not notice", async () => {
    await using live = await createTestKeyline({ live: true });
    const queue = openEither<string>(live.keyline, "long", { transactional });
    const { promise, resolve } = Promise.withResolvers<void>();
    const errors: Error[] = [];
    const begun: Job<string>[] = [];
    const worker = queue.work(
      async (job: Job<string>) => {
        begun.push(job);
        await promise;
      },
      { timeout: hour },
    );
    worker.on("error", (error) => errors.push(error));
    await queue.add("a");
    await eventually("it runs", () => begun.length === 1);
    await live.advance(10 * day);
    resolve();
    expect(await live.drain()).toMatchObject([{ data: "a", attempt: 1, outcome: "completed" }]);
    expect(begun[0]?.signal.aborted).toBe(false);
    expect(errors).toEqual([]);
  });

  test("streams: idempotency keys are forgotten after their window", async () => {
    const rules = { idempotencyWindow: 2 * hour };
    const events = transactional
      ? t.keyline.stream<number>("events", { ...rules, transactional: true })
      : t.keyline.stream<number>("events", rules);
    const first = await events.append(1, { idempotencyKey: "k" });
    await t.advance(hour);
    expect(await events.append(1, { idempotencyKey: "k" })).toEqual({ id: first.id, appended: false });
    await t.advance(hour);
    expect(await events.append(1, { idempotencyKey: "k" })).toMatchObject({ appended: true });
  });
});

test("a job that sleeps, or waits for a signal, goes on when its time has come", async () => {
  const queue = t.keyline.queue<string>("long", { transactional: true });
  const done: string[] = [];
  queue.work(async (job) => {
    await job.sleep("cool down", hour);
    const answer = await job.signalled("approved", { timeout: day }).catch((error: { code?: string }) => {
      if (error.code !== "TIMEOUT") throw error;
      return "nobody";
    });
    done.push(`${job.data} ${JSON.stringify(answer)}`);
  });
  await queue.addMany([{ data: "a", id: "a1" }, { data: "b" }]);
  expect((await t.drain()).map(({ outcome }) => outcome)).toEqual(["snoozed", "snoozed"]);
  await t.advance(hour - 60_000);
  expect(await t.drain()).toEqual([]);
  await t.advance(60_000);
  expect(await t.drain()).toHaveLength(2);
  await queue.signal("a1", "approved", { by: "ada" });
  await t.drain();
  expect(done).toHaveLength(1);
  expect(done[0]).toContain("ada");
  await t.advance(day);
  await t.drain();
  expect(done[1]).toBe('b "nobody"');
  expect(await t.drain()).toEqual([]);
});

test("rows of other tables are left alone", async () => {
  const pool = new pg.Pool({ connectionString: t.databaseUrl });
  await pool.query("CREATE TABLE keepsake AS SELECT timestamptz '2026-01-01' AS at");
  await t.advance(day);
  expect((await pool.query("SELECT at FROM keepsake")).rows).toEqual([{ at: new Date("2026-01-01T00:00:00Z") }]);
  await pool.end();
});
