import { afterAll, beforeAll, expect, test } from "vitest";
import type { Queue } from "keyline";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

const half = 700;

const some = (queue: Queue<N, N, true>): { queue: Queue<N, N, true>; data: N }[] =>
  Array.from({ length: half }, (_, n) => ({ queue, data: { n } }));

async function lookedAt(parents: Queue<N, N, true>): Promise<{ looked_at: number; open_to: number } | undefined> {
  const { rows } = await stage.pool.query<{ looked_at: number; open_to: number }>(
    "SELECT looked_at, open_to FROM keyline.family WHERE queue = $1",
    [parents.name],
  );
  return rows[0];
}

test("a family whose last children end first is looked through once: what has ended is noted, and its parent runs behind the first ones", async () => {
  const [parents, first, last] = [stage.nextQueue(), stage.nextQueue(), stage.nextQueue()];
  let ended = 0;
  const ran: number[] = [];
  const count = () => void ended++;
  const workers = [
    parents.work(async (job) => {
      let children = 0;
      for await (const { outcome } of job.children()) if (outcome === "completed") children++;
      ran.push(ended, children);
    }),
    last.work(count, { concurrency: 50 }),
  ];
  const { id } = await parents.add({ n: 0 }, { children: [...some(first), ...some(last)] });
  await eventually("it is noted", async () => (await lookedAt(parents))?.open_to === half);
  expect(await lookedAt(parents)).toEqual({ looked_at: 2 * half, open_to: half });
  expect(ran).toEqual([]);
  workers.push(first.work(count, { concurrency: 50 }));
  await parents.waitFor(id);
  expect(ran).toEqual([2 * half, 2 * half]);
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("children that are added behind those that have ended are waited for", async () => {
  const [parents, first, last] = [stage.nextQueue(), stage.nextQueue(), stage.nextQueue()];
  let ended = 0;
  const ran: number[] = [];
  const count = () => void ended++;
  const workers = [
    parents.work(async (job, { step }) => {
      await step("more", async (tx) => {
        ran.push(ended);
        await job.addChildren(some(first), { tx });
      });
      await job.childrenEnded();
      ran.push(ended);
    }),
    last.work(count, { concurrency: 50 }),
  ];
  const { id } = await parents.add({ n: 0 }, { children: [...some(first).slice(0, 1), ...some(last)] });
  await eventually("it is noted", async () => (await lookedAt(parents))?.open_to === 1);
  workers.push(first.work(count));
  await parents.waitFor(id);
  expect(ran).toEqual([half + 1, 2 * half + 1]);
  await Promise.all(workers.map((worker) => worker.stop()));
});
