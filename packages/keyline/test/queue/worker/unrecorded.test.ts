import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, untilNoneIsLeft, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const jobs = 6_000;
/** So many ended jobs may be on their way to the record, and as many again be run and ahead. */
const most = 2_000 + 1_000;

test("a worker whose handlers are quicker than the record does not take all that there is", async () => {
  const keyline = stage.keyline();
  await keyline.migrate();
  const queue = keyline.queue<number>("quick", { transactional: true });
  await queue.addMany(Array.from({ length: jobs }, (_, data) => ({ data })));
  // No end of these can be written while somebody is at their rows.
  const other = await stage.pool.connect();
  await other.query("BEGIN");
  await other.query("SELECT FROM keyline.job WHERE queue = 'quick' FOR UPDATE");
  const ran = new Map<number, number>();
  const worker = queue.work(({ data }) => void ran.set(data, (ran.get(data) ?? 0) + 1), { concurrency: 100 });
  const held = async (): Promise<number> => {
    const lists = await stage.valkey.keys(`${stage.prefix}:{quick}:held:*`);
    const lengths = await Promise.all(lists.map((list) => stage.valkey.llen(list)));
    return lengths.reduce((sum, length) => sum + length, 0);
  };
  // It has taken all that it is going to take.
  for (let before = -1, now = 0; now === 0 || now !== before; before = now, now = await held()) {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  expect(await held()).toBeLessThan(most);
  expect(ran.size).toBeLessThan(most);
  expect((await queue.counts()).waiting).toBeGreaterThan(jobs - most);

  await other.query("ROLLBACK");
  other.release();
  await untilNoneIsLeft(
    "all have ended",
    async () => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'quick'")).rows.length,
  );
  expect([...ran.values()]).toEqual(Array.from({ length: jobs }, () => 1));
  await worker.stop();
});
