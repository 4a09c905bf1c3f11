import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

type N = { readonly n: number };

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
});
afterAll(() => stage.close());

test("of a job that is in a batch twice, because it was delivered twice, the effects are written once", async () => {
  const queue = stage.keyline().queue<N>("copies", { transactional: true });
  const waiting = `${stage.prefix}:{copies}:waiting`;
  await queue.addMany([1, 2, 3].map((n) => ({ data: { n } })));
  await eventually("all are on Valkey", async () => (await stage.valkey.llen(waiting)) === 3);
  const raws = await stage.valkey.lrange(waiting, 0, -1);
  await stage.valkey.rpush(waiting, ...raws);
  const owedOnes: number[][] = [];
  const summaries: number[][] = [];
  const worker = queue.workBatch(
    async (jobs, { settle }) => {
      const { settled, skipped } = await settle(jobs, async (tx, owed) => {
        owedOnes.push(owed.map((job) => job.data.n));
        for (const job of owed) await tx.query("INSERT INTO effects VALUES ($1)", [job.data.n]);
      });
      summaries.push([jobs.length, settled.length, skipped.length]);
    },
    { size: 10 },
  );
  worker.on("error", () => undefined);
  await eventually("the batch is settled", () => summaries.length > 0);
  expect(summaries).toEqual([[6, 3, 3]]);
  expect(owedOnes.map((owed) => owed.toSorted((one, other) => one - other))).toEqual([[1, 2, 3]]);
  expect((await stage.pool.query<N>("SELECT n FROM effects ORDER BY n")).rows.map(({ n }) => n)).toEqual([1, 2, 3]);
  expect((await stage.pool.query("SELECT FROM keyline.job")).rows).toEqual([]);
  await worker.stop();
});
