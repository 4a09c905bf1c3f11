import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
const processes: TestProcess[] = [];
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(async () => {
  for (const worker of processes) worker.signal("SIGKILL");
  await stage.close();
});

const limit = 5;

test("eight workers in four processes keep to limits that change, and are not stuck below them when one was killed", async () => {
  const queue = stage.keyline().queue<number>("limited", { lease: 1_000 });
  await queue.setLimits({ concurrency: limit, rate: { max: 40, per: 200 } });
  const start = (): void => {
    processes.push(
      startProcess("limited-worker.ts", {
        valkey: stage.valkeyUrl,
        prefix: stage.prefix,
        queue: "limited",
        lease: 1_000,
        workers: 2,
        work: 20,
      }),
    );
  };
  for (let count = 0; count < 4; count++) start();
  const add = (first: number, count: number): Promise<unknown> =>
    queue.addMany(Array.from({ length: count }, (_, index) => ({ data: first + index })));
  const running = async (): Promise<number> => (await stage.valkey.hvals("running")).reduce((sum, each) => sum + Number(each), 0);
  const most = async (): Promise<number> => Number(await stage.valkey.get("most"));

  await add(0, 600);
  await eventually("they run as many as they may", async () => (await most()) === limit);
  // Killed while it runs something: its jobs are not counted any more, and its places are free when its lease has ended.
  let victim: TestProcess | undefined;
  await eventually("one runs something", async () => {
    const busy = Object.entries(await stage.valkey.hgetall("running")).find(([, count]) => Number(count) > 0)?.[0];
    victim = processes.find(({ child }) => String(child.pid) === busy);
    return victim !== undefined;
  });
  victim?.signal("SIGKILL");
  await victim?.exited;
  await stage.valkey.hdel("running", String(victim?.child.pid));
  await eventually("all its places are taken again", async () => (await running()) === limit);
  await eventually("all have run", async () => new Set(await stage.valkey.lrange("begun", 0, -1)).size === 600);
  expect(await most()).toBe(limit);

  await queue.setLimits({ concurrency: 12, rate: null });
  await add(600, 100);
  await eventually("more run", async () => (await most()) > limit);
  await eventually("all have run", async () => new Set(await stage.valkey.lrange("begun", 0, -1)).size === 700);
  expect(await most()).toBeLessThanOrEqual(12);
  for (const worker of processes) worker.signal("SIGTERM");
  await Promise.all(processes.map((worker) => worker.exited));
});
