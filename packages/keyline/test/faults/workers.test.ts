import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Queue } from "keyline";
import { startProcess, type Line, type TestProcess } from "../support/processes.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { lettersOf } from "../support/letters.ts";

type N = { readonly n: number };

let stage: Stage;
const processes: TestProcess[] = [];
const queues = new Map<string, Queue<N, N, true>>();

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer, pid integer)");
});
afterEach(async () => {
  for (const { child } of processes) child.kill("SIGCONT");
  for (const { child } of processes) child.kill("SIGKILL");
  await Promise.all(processes.splice(0).map((one) => one.exited));
  await stage.pool.query("TRUNCATE effects");
});
afterAll(() => stage.close());

function queueOf(name: string): Queue<N, N, true> {
  const queue = stage.keyline().queue<N>(name, { transactional: true });
  queues.set(name, queue);
  return queue;
}

function startWorker(
  queue: string,
  settings: { readonly lease?: number; readonly work?: number; readonly concurrency?: number; readonly poison?: number } = {},
): TestProcess {
  const worker = startProcess("order-worker.ts", {
    valkey: stage.valkeyUrl,
    postgres: stage.databaseUrl,
    prefix: stage.prefix,
    queue,
    lease: 1_000,
    work: 0,
    concurrency: 1,
    batch: false,
    ...settings,
  });
  processes.push(worker);
  return worker;
}

const has = (worker: TestProcess, key: string, value: unknown): boolean => worker.lines.some((line: Line) => line[key] === value);
const effects = async (): Promise<N[]> => (await stage.pool.query<N & { pid: number }>("SELECT n, pid FROM effects ORDER BY n")).rows;

test("a worker that stands still for longer than its lease and goes on: its late settle changes nothing, and it says so", async () => {
  const queue = queueOf("stalled");
  const stalled = startWorker("stalled", { work: 300 });
  await eventually("it is ready", () => has(stalled, "ready", true));
  await queue.add({ n: 1 });
  await eventually("it has begun", () => has(stalled, "started", 1));
  stalled.signal("SIGSTOP");
  const other = startWorker("stalled");
  await eventually("another worker has settled the job", () => has(other, "settled", 1));
  expect(await effects()).toEqual([{ n: 1, pid: other.child.pid }]);
  stalled.signal("SIGCONT");
  await eventually("it says that it lost its lease", () => has(stalled, "error", "LEASE_LOST"));
  expect(await effects()).toEqual([{ n: 1, pid: other.child.pid }]);
  expect(has(stalled, "settled", 1) && !has(stalled, "isOurs", false)).toBe(false);
  // It is of use again, under a new lease.
  other.signal("SIGTERM");
  await other.exited;
  await queue.add({ n: 2 });
  await eventually("it settles the next job", () => has(stalled, "settled", 2));
  expect(await effects()).toHaveLength(2);
});

test("the jobs of a worker that died are at the head of the queue again, in their order, with the attempt counted", async () => {
  const queue = queueOf("died");
  const victim = startWorker("died", { work: 60_000, concurrency: 3 });
  await eventually("it is ready", () => has(victim, "ready", true));
  await queue.addMany([1, 2, 3, 4, 5].map((n) => ({ data: { n } })));
  await eventually("it has begun with three", () => has(victim, "started", 3));
  victim.signal("SIGKILL");
  await victim.exited;
  const heir = startWorker("died");
  await eventually("all are settled", async () => (await effects()).length === 5);
  const started = heir.lines.filter((line) => "started" in line);
  expect(started.map((line) => Number(line["started"])).toSorted((one, other) => one - other)).toEqual([1, 2, 3, 4, 5]);
  expect(Object.fromEntries(started.map((line) => [line["started"], line["attempt"]]))).toEqual({ 1: 2, 2: 2, 3: 2, 4: 1, 5: 1 });
  const order = started.map((line) => line["started"]);
  const returned = order.filter((n) => Number(n) <= 3);
  expect(returned).toEqual([1, 2, 3]);
});

test.each([
  { concurrency: 1, work: 0 },
  { concurrency: 5, work: 100 },
])(
  "a job that keeps killing its worker becomes a dead letter, and its neighbours are settled ($concurrency at a time)",
  async (how) => {
    const name = `poison-${how.concurrency}`;
    const queue = queueOf(name);
    await queue.addMany([0, 1, 2, 3, 4].map((n) => ({ data: { n } })));
    let restarts = 0;
    let isOver = false;
    const keepOneAlive = (async () => {
      while (!isOver) {
        const worker = startWorker(name, { poison: 2, lease: 500, ...how });
        await Promise.race([worker.exited, eventually("the end", () => isOver, 60_000)]);
        restarts++;
      }
    })();
    await eventually("the poison is dead", async () => (await queue.counts()).dead === 1, 60_000);
    await eventually("its neighbours are settled", async () => (await effects()).length === 4, 60_000);
    isOver = true;
    await keepOneAlive;
    expect((await effects()).map(({ n }) => n)).toEqual([0, 1, 3, 4]);
    expect(await lettersOf(queue)).toMatchObject([{ data: { n: 2 }, reason: expect.stringContaining("WORKER_DIED") as string }]);
    expect(restarts).toBeGreaterThanOrEqual(3);
  },
  90_000,
);

test("SIGTERM with jobs in flight: what runs is finished, nothing waits for a lease to end", async () => {
  const queue = queueOf("deploy");
  const worker = startWorker("deploy", { work: 200, concurrency: 4, lease: 60_000 });
  await eventually("it is ready", () => has(worker, "ready", true));
  await queue.addMany(Array.from({ length: 12 }, (_, n) => ({ data: { n } })));
  await eventually("it has begun", () => has(worker, "started", 3));
  worker.signal("SIGTERM");
  await worker.exited;
  expect(worker.child.exitCode).toBe(0);
  const { waiting, running, scheduled } = await queue.counts();
  expect(running + scheduled).toBe(0);
  expect(waiting + (await effects()).length).toBe(12);
  expect(worker.lines.filter((line) => "settled" in line)).toHaveLength(worker.lines.filter((line) => "started" in line).length);
});
