import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const groups = 10_000;
const each = 20;

test("200,000 jobs of 10,000 groups are run in order by eight workers in four processes", async () => {
  const queue = stage.keyline().queue<{ readonly n: number }>("many");
  const settings = {
    valkey: stage.valkeyUrl,
    postgres: stage.databaseUrl,
    prefix: stage.prefix,
    queue: "many",
    transactional: false,
    workers: 2,
    concurrency: 100,
    lease: 10_000,
    failing: 0,
    work: 0,
  };
  const processes: TestProcess[] = Array.from({ length: 4 }, () => startProcess("life-worker.ts", settings));
  try {
    for (let n = 0; n < each; n++) {
      for (let first = 0; first < groups; first += 1_000) {
        await queue.addMany(Array.from({ length: 1_000 }, (_, index) => ({ data: { n }, group: `g${first + index}` })));
      }
    }
    const isDone = async (): Promise<boolean> => {
      const { waiting, running, blocked, scheduled } = await queue.counts();
      return waiting + running + blocked + scheduled === 0;
    };
    await eventually("all have run", isDone, 50_000);
    const inOrder = Array.from({ length: each }, (_, n) => String(n));
    const wrong: unknown[] = [];
    for (let first = 0; first < groups; first += 1_000) {
      const names = Array.from({ length: 1_000 }, (_, index) => `g${first + index}`);
      const runs = await Promise.all(names.map((group) => stage.valkey.lrange(`life:many:${group}`, 0, -1)));
      for (const [index, ran] of runs.entries()) if (ran.join() !== inOrder.join()) wrong.push({ group: names[index], ran });
    }
    expect(wrong).toEqual([]);
  } finally {
    for (const worker of processes) worker.signal("SIGTERM");
    await Promise.all(processes.map((worker) => worker.exited));
  }
}, 120_000);
