import { afterAll, beforeAll, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { gate, openStage } from "../../support/stage.ts";
import { lettersOf } from "../../support/letters.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

test("is kept in the row: attempts, the last error, the dead letter; and redrive starts over", async () => {
  const queue = stage.nextQueue();
  let isFixed = false;
  const dead = gate();
  const completed = gate();
  const worker = queue.work((job) => {
    if (!isFixed) throw new Error(`attempt ${job.attempt} failed\0`);
  });
  worker.on("dead", () => dead.open());
  worker.on("completed", () => completed.open());
  const { id } = await queue.add({ n: 1 });
  await dead.opened;
  expect(await stage.rowsOf(queue.name)).toMatchObject([{ id, state: "dead", attempts: 3, last_error: "Error: attempt 3 failed" }]);
  expect(await lettersOf(queue)).toMatchObject([{ id, reason: "Error: attempt 3 failed", attempts: 3, data: { n: 1 } }]);
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 0, scheduled: 0, dead: 1 });
  isFixed = true;
  expect(await queue.redrive({ all: true })).toBe(1);
  await completed.opened;
  expect(await stage.rowsOf(queue.name)).toEqual([]);
  await worker.stop();
});

test("a dead row is not settled by a worker that comes late", async () => {
  const queue = stage.nextQueue();
  const started = gate();
  const release = gate();
  const answer = Promise.withResolvers<boolean>();
  const worker = queue.work(async (job, { settle }) => {
    started.open();
    await release.opened;
    answer.resolve(await settle(async (tx) => void (await stage.write(tx, queue.name, job.data.n))));
  });
  await queue.add({ n: 1 });
  await started.opened;
  await stage.pool.query("UPDATE keyline.job SET state = 'dead' WHERE queue = $1", [queue.name]);
  release.open();
  expect(await answer.promise).toBe(false);
  expect(await stage.effectsOf(queue.name)).toEqual([]);
  await worker.stop();
  expect(await stage.rowsOf(queue.name)).toMatchObject([{ state: "dead" }]);
});

test("a transactional queue in a database without the schema says what to do", async () => {
  const bare = await openStage();
  const queue = bare.keyline().queue<N>("q", { transactional: true });
  await expect(queue.add({ n: 1 })).rejects.toMatchObject({ code: "NOT_MIGRATED" });
  await bare.close();
});
