import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

// The row waits for its next attempt, and the element is nowhere: nobody may write down that it was delivered.
test("a job that fails right after Valkey lost its element, and was rebuilt, has its next attempt", async () => {
  // With the lease as long as this no renewal notices the loss before the job has failed.
  const queue = stage.keyline().queue<number>("lost-retry", {
    transactional: true,
    lease: 60_000,
    backoff: { type: "fixed", delay: 100, jitter: 0 },
  });
  const key = (name: string): string => `${stage.prefix}:{lost-retry}:${name}`;
  const rows = async (condition: string): Promise<number> =>
    (
      await stage.pool.query(
        `SELECT FROM keyline.job JOIN keyline.queue ON queue.name = job.queue WHERE queue.name = 'lost-retry' AND ${condition}`,
      )
    ).rows.length;
  const started = gate();
  const release = gate();
  const done = gate();
  const attempts: number[] = [];
  const worker = queue.work(async (job) => {
    attempts.push(job.attempt);
    if (job.attempt > 1) return done.open();
    started.open();
    await release.opened;
    throw new Error("later");
  });
  worker.on("error", () => undefined);
  await queue.add(1);
  await started.opened;
  await eventually("the delivery is noted", async () => (await rows("delivered_to = epoch AND rebuilt_epoch = epoch")) === 1);
  const { rows: before } = await stage.pool.query<{ epoch: string }>("SELECT epoch FROM keyline.queue WHERE name = 'lost-retry'");
  await stage.valkey.del(...(await stage.valkey.keys(key("*"))));
  await eventually("it was delivered to the new memory", async () => {
    const isRebuilt = (await rows(`delivered_to = epoch AND rebuilt_epoch = epoch AND epoch <> '${before[0]?.epoch}'`)) === 1;
    return isRebuilt && (await stage.valkey.llen(key("waiting"))) === 1;
  });
  release.open();
  await eventually("it had its next attempt", () => attempts.includes(2));
  await done.opened;
  await eventually("its row is gone", async () => (await rows("true")) === 0);
  expect(attempts).toEqual([1, 2]);
  await worker.stop();
}, 60_000);
