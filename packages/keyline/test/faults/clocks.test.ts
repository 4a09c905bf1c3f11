import type { Job } from "keyline";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { openEither } from "../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { watchTakes } from "../support/take-watch.ts";
import { moment, type Take } from "./places/history.ts";
import { windowsAbove } from "./places/limit-check.ts";

type N = { readonly n: number };

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => stage.close());

/** From now on this process takes each reading of its clock for an hour too early, right, or an hour too late. */
function strobeClock(): void {
  const now = Date.now.bind(Date);
  let readings = 0;
  vi.spyOn(Date, "now").mockImplementation(() => now() + ((readings++ % 3) - 1) * 3_600_000);
}

// The clock of the process is an injected fault here; the servers have their own.
test("a process whose clock jumps by an hour at each reading keeps its leases, and settles each job once, retries included", async () => {
  strobeClock();
  const keyline = stage.keyline();
  const queue = keyline.queue<N>("strobed", { transactional: true, lease: 3_000, backoff: { type: "fixed", delay: 200, jitter: 0 } });
  const attempts: Record<number, number[]> = {};
  const errors: string[] = [];
  const worker = queue.work(
    async (job, { settle }) => {
      (attempts[job.data.n] ??= []).push(job.attempt);
      if (job.data.n % 3 === 0 && job.attempt === 1) throw new Error("later");
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1)", [job.data.n])));
    },
    { concurrency: 5 },
  );
  worker.on("error", (error) => errors.push(error.message));
  for (let n = 0; n < 30; n++) await keyline.transaction((tx) => queue.add({ n }, { tx }));
  const effects = async (): Promise<number[]> => (await stage.pool.query<N>("SELECT n FROM effects ORDER BY n")).rows.map(({ n }) => n);
  await eventually("every job has its effect", async () => (await effects()).length >= 30);
  const leaseEnds = async (): Promise<number> =>
    Number((await stage.valkey.zrange(`${stage.prefix}:{strobed}:workers`, 0, -1, "WITHSCORES"))[1]);
  const first = await leaseEnds();
  await eventually("the lease was renewed twice", async () => (await leaseEnds()) > first + 1_500);
  expect(await effects()).toEqual(Array.from({ length: 30 }, (_, n) => n));
  for (let n = 0; n < 30; n++) expect(attempts[n]?.toSorted((one, other) => one - other)).toEqual(n % 3 === 0 ? [1, 2] : [1]);
  expect(errors).toEqual([]);
  const [seconds = 0] = await stage.valkey.time();
  expect(Math.abs((await leaseEnds()) - seconds * 1_000)).toBeLessThan(60_000);
  await worker.stop();
});

test("messages and entries of a process whose clock jumps come in their order, each once, with the server's times", async () => {
  strobeClock();
  const keyline = stage.keyline();
  const news = keyline.channel<number>("news", { history: {} });
  const readings = keyline.stream<number>("readings");
  const events = keyline.stream<number>("events", { transactional: true });
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  const heard: number[] = [];
  const subscription = news.subscribe(({ data }) => void heard.push(data), { since: "earliest" });
  await subscription.ready;
  for (const n of numbers) {
    await news.publish(n);
    await readings.append(n);
    await events.append(n);
  }
  await eventually("all were heard", () => heard.length >= numbers.length);
  expect(heard).toEqual(numbers);
  for (const stream of [readings, events]) {
    const read: number[] = [];
    const times: number[] = [];
    for await (const { data, at } of stream.read()) {
      read.push(data);
      times.push(at);
    }
    expect(read).toEqual(numbers);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    const [seconds = 0] = await stage.valkey.time();
    for (const at of times) expect(Math.abs(at - seconds * 1_000)).toBeLessThan(600_000);
  }
  await subscription.close();
});

describe.each([{ transactional: false }, { transactional: true }])(
  "in processes whose clock jumps by an hour (transactional: $transactional)",
  (how) => {
    test("delays, groups and limits keep to the server's time", async () => {
      strobeClock();
      const rate = { max: 10, per: 200 };
      const takes: Take[] = [];
      onTestFinished(watchTakes((take) => takes.push(take as Take)));
      const queue = openEither<N>(stage.keyline(), `timed-${how.transactional}`, { ...how, limits: { rate } });
      const ran: number[] = [];
      const worker = queue.work(({ data: { n } }: Job<N>) => void ran.push(n), { concurrency: 10 });
      const addedAt = moment();
      await queue.add({ n: 100 }, { delay: 400, id: "delayed" });
      for (let n = 0; n < 20; n++) await queue.add({ n }, { group: "g", ...(n === 3 ? { delay: 100 } : {}) });
      await eventually("all have run", () => ran.length === 21);
      await worker.stop();
      expect(ran.filter((n) => n < 100)).toEqual(Array.from({ length: 20 }, (_, n) => n));
      // However late this process was: nothing came before its time.
      expect(takes.find(({ id }) => id === "delayed")?.answered).toBeGreaterThanOrEqual(addedAt + 399);
      expect(takes.length).toBeGreaterThanOrEqual(21);
      expect(windowsAbove(rate, takes, "the queue")).toEqual([]);
    });

    test("a due time that is given as one is that of the server too, and a key is held for its time", async () => {
      const [seconds = 0] = await stage.valkey.time();
      strobeClock();
      const queue = openEither<N>(stage.keyline(), `given-${how.transactional}`, how);
      const ran: number[] = [];
      const hour = 3_600_000;
      // The clock of this process says three times which hour it is.
      for (let n = 0; n < 3; n++) await queue.add({ n }, { runAt: seconds * 1_000 + hour / 2 });
      for (let n = 3; n < 6; n++) await queue.add({ n }, { runAt: seconds * 1_000 - hour / 2 });
      const once = { deduplicate: { key: "k", window: hour / 2 } };
      const answers = [];
      for (let n = 6; n < 9; n++) answers.push(await queue.add({ n }, once));
      const worker = queue.work(({ data: { n } }: Job<N>) => void ran.push(n));
      await eventually("what is due has run", () => ran.length === 4);
      expect(ran.toSorted((one, other) => one - other)).toEqual([3, 4, 5, 6]);
      expect(answers.map(({ added }) => added)).toEqual([true, false, false]);
      await eventually("nothing runs", async () => (await queue.counts()).running === 0);
      expect(await queue.counts()).toMatchObject({ scheduled: 3, waiting: 0 });
      await worker.stop();
    });
  },
);
