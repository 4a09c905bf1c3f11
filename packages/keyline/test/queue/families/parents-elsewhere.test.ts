import { afterAll, beforeAll, expect, test } from "vitest";
import { openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const rules = { transactional: true, keepResult: 60_000 } as const;

// Each of them knows the queue that it works on, and no other one.
test("whoever ends the last child and has not the parent's queue tells the workers of that that there is a row to deliver", async () => {
  const [above, below] = [stage.keyline(), stage.keyline()];
  const parents = above.queue<number>("parents-elsewhere", rules);
  const asked = above.queue<number>("children-elsewhere", rules);
  const children = below.queue<number>("children-elsewhere", rules);
  const worker = parents.work(async (job) => {
    const values: unknown[] = [];
    for await (const { value } of job.children()) values.push(value);
    return values;
  });
  const { id } = await parents.add(1, { children: [1, 2].map((data) => ({ queue: asked, data })) });
  const other = children.work(({ data }) => data);
  expect(await parents.waitFor(id, { timeout: 30_000 })).toEqual([1, 2]);
  const signals = await stage.valkey.xrange(`${stage.prefix}:{parents-elsewhere}:signals`, "-", "+");
  expect(signals.map(([, fields]) => fields)).toContainEqual(["kind", "rows"]);
  await Promise.all([worker.stop(), other.stop()]);
});
