import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
const processes: TestProcess[] = [];
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(async () => {
  for (const one of processes) one.signal("SIGKILL");
  await stage.close();
});

test("jobs that were with a worker that died begin one by one, others beside each other", async () => {
  const name = "alone";
  const queue = stage.keyline().queue<number | null>(name);
  const settings = { valkey: stage.valkeyUrl, prefix: stage.prefix, queue: name, lease: 1_000, maxAttempts: 10 };
  const dying = startProcess("ahead-worker.ts", settings);
  processes.push(dying);
  await eventually("it is ready", () => dying.lines.length > 0, 60_000);
  const add = (numbers: readonly (number | null)[]): Promise<unknown> => queue.addMany(numbers.map((data) => ({ data })));
  // It gets to know its handler, so that it takes ahead.
  await add(Array.from({ length: 1_000 }, () => null));
  await eventually("those are done", async () => (await queue.counts()).waiting === 0);
  await add([null, 0, ...Array.from({ length: 20 }, (_, index) => index + 1)]);
  await eventually("it has killed itself", () => dying.child.signalCode !== null, 60_000);
  const others = Array.from({ length: 20 }, (_, index) => index + 101);
  await add(others);

  // Beside each other would be here: all that are begun together begin before the first of them goes on.
  let running = 0;
  const most = { returned: 0, others: 0 };
  let ran = 0;
  const worker = queue.work(
    async ({ attempt }) => {
      running++;
      const kind = attempt > 1 ? "returned" : "others";
      most[kind] = Math.max(most[kind], running);
      if (attempt > 1) ran++;
      await Promise.resolve();
      running--;
    },
    { concurrency: 10 },
  );
  await eventually("all are done", async () => {
    const { waiting, running: held } = await queue.counts();
    return waiting + held === 0;
  });
  await worker.stop();
  expect(ran).toBeGreaterThan(1);
  expect(most.returned).toBe(1);
  expect(most.others).toBeGreaterThan(1);
}, 120_000);
