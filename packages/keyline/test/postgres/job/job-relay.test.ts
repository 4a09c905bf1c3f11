import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("many more queues than connections are looked after at the same time, and none waits for another's connection", async () => {
  const keyline = stage.keyline({ postgres: { connectionString: stage.databaseUrl, max: 4 } });
  const queues = Array.from({ length: 30 }, (_, n) => keyline.queue<number>(`many-${n}`, { transactional: true }));
  await Promise.all(queues.map((queue) => queue.add(1)));
  await eventually("all of them are looked after", async () => {
    const { rows } = await stage.pool.query("SELECT FROM keyline.queue WHERE name LIKE 'many-%' AND epoch <> '' AND rebuilt_epoch = epoch");
    return rows.length === queues.length;
  });
  expect(stage.log.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  // One that was added before its queue was known may be there twice.
  for (const queue of queues) expect((await queue.counts()).waiting).toBeGreaterThanOrEqual(1);
});
