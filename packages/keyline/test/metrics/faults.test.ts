import type { Queue } from "keyline";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { metricsOf, parseScrape } from "../support/scrape.ts";
import { eventually, openQuietStage, type Stage } from "../support/stage.ts";

const lease = 600;
let stage: Stage;
const processes: TestProcess[] = [];
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterEach(async () => {
  for (const started of processes) started.signal("SIGKILL");
  await Promise.all(processes.splice(0).map(({ exited }) => exited));
});
afterAll(() => stage.close());

interface MeteredWorker {
  readonly process: TestProcess;
  value(sample: string): Promise<number | undefined>;
  hasStarted(number: number): boolean;
}

async function startMetered(queue: string): Promise<MeteredWorker> {
  const started = startProcess("metered-worker.ts", { valkey: stage.valkeyUrl, prefix: stage.prefix, queue, lease });
  processes.push(started);
  const portOf = (): unknown => started.lines.find(({ port }) => port !== undefined)?.["port"];
  await eventually("it can be scraped", () => portOf() !== undefined);
  return {
    process: started,
    value: async (sample) => parseScrape(await (await fetch(`http://127.0.0.1:${String(portOf())}/`)).text()).get(sample),
    hasStarted: (number) => started.lines.some((line) => line["started"] === number),
  };
}

test("a worker that stood still tells that it lost its lease, and the one that has its jobs that it rescued them", async () => {
  const stalled = await startMetered("leases");
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("leases", { lease });
  await queue.add(0);
  await eventually("it has begun", () => stalled.hasStarted(0));
  stalled.process.signal("SIGSTOP");
  const { value } = metricsOf(keyline, { state: false });
  const worker = queue.work(() => undefined);
  await eventually("it is completed here", async () => (await value('keyline_queue_completed_total{queue="leases"}')) === 1);
  expect(await value('keyline_rescued_jobs_total{queue="leases"}')).toBe(1);
  expect(await value('keyline_lease_lost_total{queue="leases"}')).toBe(0);
  stalled.process.signal("SIGCONT");
  await eventually("it says so", async () => (await stalled.value('keyline_lease_lost_total{queue="leases"}')) === 1);
  await eventually("its attempt was in vain", async () => (await stalled.value('keyline_queue_overtaken_total{queue="leases"}')) === 1);
  expect(await stalled.value('keyline_queue_completed_total{queue="leases"}')).toBe(0);
  await worker.stop();
  // Of all processes, and once, whichever handles of the queue there are.
  const rates = async (): Promise<object> =>
    (await keyline.directory.queues())[0]
      ?.open()
      .rates()
      .then(({ total }) => total) ?? {};
  const all = { completed: 1, leasesLost: 1, rescued: 1, overtaken: 1 };
  await eventually("it is in the queue's rates", async () => {
    const total = new Map(Object.entries(await rates()));
    return Object.entries(all).every(([name, count]) => total.get(name) === count);
  });
});

test("two processes tell each of itself: what they did adds up, also when one of them is killed", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("two", { lease });
  const { value } = metricsOf(keyline);
  const other = await startMetered("two");
  await queue.addMany(Array.from({ length: 20 }, (_, number) => ({ data: number + 1 })));
  const completed = 'keyline_queue_completed_total{queue="two"}';
  await eventually("it has completed all", async () => (await other.value(completed)) === 20);
  expect(await value(completed)).toBe(0);
  expect(await other.value('keyline_queue_added_total{queue="two"}')).toBe(0);
  expect(await value('keyline_queue_added_total{queue="two"}')).toBe(20);
  // Which jobs there are only this one tells.
  expect(await other.value('keyline_queue_jobs{queue="two",state="waiting"}')).toBeUndefined();
  await queue.addMany([{ data: 0 }, { data: 0 }, { data: 0 }]);
  await eventually("three run there", async () => (await other.value('keyline_worker_running{queue="two"}')) === 3);
  await eventually("it is seen here", async () => (await value('keyline_queue_jobs{queue="two",state="running"}')) === 3);
  other.process.signal("SIGKILL");
  const worker = queue.work(() => undefined, { concurrency: 5 });
  await eventually("they are completed here", async () => (await value(completed)) === 3);
  expect(await value('keyline_rescued_jobs_total{queue="two"}')).toBe(3);
  await worker.stop();
});

test("a rebuild is counted once, after Valkey has lost its memory", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("rebuilt", { transactional: true });
  const { value } = metricsOf(keyline, { state: false });
  const rebuilds = (): Promise<number | undefined> => value('keyline_rebuild_total{queue="rebuilt"}');
  await queue.addMany([{ data: 1 }, { data: 2 }]);
  await eventually("they are delivered", async () => (await queue.counts()).waiting === 2);
  await eventually("it is noted", async () => (await openRows(queue)) === 2);
  expect(await rebuilds()).toBe(0);
  await stage.valkey.flushall();
  await stage.valkey.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await eventually("it was rebuilt", async () => (await rebuilds()) === 1);
  await eventually("they are there again", async () => (await queue.counts()).waiting === 2);
  expect(await rebuilds()).toBe(1);
});

async function openRows(queue: Queue<number, number, true>): Promise<number> {
  const text = "SELECT FROM keyline.job WHERE queue = $1 AND delivered_to IS NOT NULL";
  return (await stage.pool.query(text, [queue.name])).rows.length;
}

const conflict = "DO $$ BEGIN RAISE EXCEPTION 'somebody was first' USING ERRCODE = '40001'; END $$";

test.each(["alone", "together"])("settles that were done once more are counted (%s)", async (how) => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>(`conflicts-${how}`, { transactional: true });
  const { value } = metricsOf(keyline, { state: false });
  let conflicts = 0;
  const worker = queue.work(
    ({ data }, { settle }) =>
      settle(async (tx) => {
        if (data === 0 && conflicts++ === 0) await tx.query(conflict);
      }),
    { concurrency: how === "alone" ? 1 : 20 },
  );
  await queue.addMany(Array.from({ length: how === "alone" ? 1 : 20 }, (_, number) => ({ data: number })));
  const completed = how === "alone" ? 1 : 20;
  await eventually("they have settled", async () => (await value(`keyline_queue_completed_total{queue="${queue.name}"}`)) === completed);
  expect(await value(`keyline_settle_conflicts_total{queue="${queue.name}"}`)).toBe(1);
  expect(await value(`keyline_queue_failed_total{queue="${queue.name}"}`)).toBe(0);
  await worker.stop();
});

test("settles with statements, and those of groups, count their conflicts too", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("conflicts-stated", { transactional: true });
  const stream = keyline.stream<number>("conflicts", { transactional: true });
  const { value } = metricsOf(keyline, { state: false });
  await stage.pool.query("CREATE SEQUENCE tries");
  await stage.pool.query(
    `CREATE FUNCTION first_fails() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
      IF nextval('tries') = 1 THEN RAISE EXCEPTION 'somebody was first' USING ERRCODE = '40001'; END IF; END $f$`,
  );
  const worker = queue.work((_, { settle }) => settle({ text: "SELECT first_fails()" }));
  await queue.add(1);
  await eventually("it has settled", async () => (await value('keyline_queue_completed_total{queue="conflicts-stated"}')) === 1);
  expect(await value('keyline_settle_conflicts_total{queue="conflicts-stated"}')).toBe(1);
  await worker.stop();
  let conflicts = 0;
  const consumer = stream.consume("readers", (_, { settle }) =>
    settle(async (tx) => {
      if (conflicts++ === 0) await tx.query(conflict);
    }),
  );
  await stream.append(1);
  const of = (what: string): string => `keyline_${what}{stream="conflicts",group="readers"}`;
  await eventually("it has settled", async () => (await value(of("group_completed_total"))) === 1);
  expect(await value(of("settle_conflicts_total"))).toBe(1);
  await consumer.stop();
});

test("a consumer's entries that another one takes over are counted as rescued", async () => {
  const keyline = stage.keyline();
  const stream = keyline.stream<{ n: number }>("rescued");
  const { value } = metricsOf(keyline, { state: false });
  const settings = { valkey: stage.valkeyUrl, prefix: stage.prefix, stream: stream.name, concurrency: 5, lease, work: 60_000 };
  const other = startProcess("group-consumer.ts", settings);
  processes.push(other);
  await stream.appendMany([{ n: 1 }, { n: 2 }]);
  await eventually("both run there", () => other.lines.filter(({ started }) => started !== undefined).length === 2);
  other.signal("SIGKILL");
  const consumer = stream.consume("g", () => undefined, { lease });
  const of = (what: string): string => `keyline_${what}{stream="rescued",group="g"}`;
  await eventually("they are completed here", async () => (await value(of("group_completed_total"))) === 2);
  expect(await value(of("rescued_entries_total"))).toBe(2);
  await consumer.stop();
});

test("a gap of a channel without history is counted for each who listened while the connection was cut", async () => {
  const keyline = stage.keyline();
  const channel = keyline.channel<number>("cut");
  const { value } = metricsOf(keyline, { state: false, channels: [channel] });
  const gaps: unknown[] = [];
  const listeners = [1, 2].map(() => channel.subscribe(() => undefined, { onGap: (gap) => gaps.push(gap) }));
  await Promise.all(listeners.map(({ ready }) => ready));
  await stage.valkey.call("CLIENT", "KILL", "TYPE", "pubsub");
  await eventually("both were told", () => gaps.length === 2);
  expect(await value('keyline_channel_gaps_total{channel="cut",reason="disconnected"}')).toBe(2);
  await Promise.all(listeners.map((listener) => listener.close()));
});
