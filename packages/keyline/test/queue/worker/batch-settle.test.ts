import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Snooze } from "keyline";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually, openStage } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

test("among batches that settle side by side, one that fails takes no other one down", async () => {
  const queue = stage.nextQueue();
  const worker = queue.workBatch(
    async (jobs, { settle }) => {
      await settle(jobs, async (tx, owed) => {
        if (owed.some((job) => job.data.n === 77 && job.attempt === 1)) throw new Error("unlucky");
        for (const job of owed) await stage.write(tx, queue.name, job.data.n);
      });
    },
    { size: 5, concurrency: 8 },
  );
  const retried: number[] = [];
  worker.on("retried", (job) => retried.push(job.data.n));
  const numbers = Array.from({ length: 400 }, (_, n) => n);
  await queue.addMany(numbers.map((n) => ({ data: { n } })));
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(await stage.effectsOf(queue.name)).toEqual(numbers);
  expect(retried).toEqual([77]);
  await worker.stop();
});

test("naming a job twice in a batch's settle is refused", async () => {
  const queue = stage.nextQueue();
  const refusals: unknown[] = [];
  const worker = queue.workBatch(async (jobs, { settle }) => {
    const insert = (tx: pg.PoolClient, owed: readonly { data: N }[]): Promise<void> =>
      Promise.all(owed.map((job) => stage.write(tx, queue.name, job.data.n))).then(() => undefined);
    await settle([...jobs, ...jobs], insert).catch((error: unknown) => refusals.push(error));
    await Promise.all([settle(jobs, insert), settle(jobs, insert).catch((error: unknown) => refusals.push(error))]);
  });
  await queue.add({ n: 1 });
  await eventually("it is settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(refusals).toEqual([expect.objectContaining({ code: "ALREADY_SETTLED" }), expect.objectContaining({ code: "ALREADY_SETTLED" })]);
  expect(await stage.effectsOf(queue.name)).toEqual([1]);
  await worker.stop();
});

test("a batch in which one job's effects fail settles its neighbours, and retries that one", async () => {
  const queue = stage.nextQueue();
  const settlements: { settled: number; failed: number }[] = [];
  const worker = queue.workBatch(
    async (jobs, { settle }) => {
      const { settled, failed } = await settle(jobs, async (tx, owed) => {
        for (const job of owed) {
          if (job.data.n === 13 && job.attempt === 1) throw new Error("unlucky");
          await stage.write(tx, queue.name, job.data.n);
        }
      });
      settlements.push({ settled: settled.length, failed: failed.length });
    },
    { size: 50 },
  );
  const retried: string[] = [];
  worker.on("retried", (job, error) => retried.push(`${job.data.n} ${error.message}`));
  await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n } })));
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(await stage.effectsOf(queue.name)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(retried).toEqual(["13 unlucky"]);
  expect(settlements.reduce((sum, { settled }) => sum + settled, 0)).toBe(50);
  expect(settlements.reduce((sum, { failed }) => sum + failed, 0)).toBe(1);
  await worker.stop();
});

test("a job that its effects put off is one of the batch's failed, with the Snooze as its error", async () => {
  const queue = stage.nextQueue();
  const settlements: { skipped: number; failed: [n: number, isSnooze: boolean][] }[] = [];
  const worker = queue.workBatch(
    async (jobs, { settle }) => {
      const { skipped, failed } = await settle(jobs, async (tx, owed) => {
        for (const job of owed) {
          if (job.data.n === 2 && settlements.length === 0) throw new Snooze(10);
          await stage.write(tx, queue.name, job.data.n);
        }
      });
      settlements.push({ skipped: skipped.length, failed: failed.map(({ job, error }) => [job.data.n, error instanceof Snooze]) });
    },
    { size: 4 },
  );
  await queue.addMany(Array.from({ length: 4 }, (_, n) => ({ data: { n } })));
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(settlements.flatMap(({ failed }) => failed)).toEqual([[2, true]]);
  expect(settlements.every(({ skipped }) => skipped === 0)).toBe(true);
  expect(await stage.effectsOf(queue.name)).toEqual([0, 1, 2, 3]);
  await worker.stop();
});

test("a batch is halved for what its effects may have caused, a deferred constraint too, and for nothing else", async () => {
  const bare = await openStage();
  const other = bare.keyline();
  await other.migrate();
  await bare.pool.query("CREATE TABLE picky (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  await bare.pool.query("INSERT INTO picky VALUES (3)");
  const queue = other.queue<N>("q", { transactional: true });
  const settlements: { settled: number; failed: number[] }[] = [];
  const worker = queue.workBatch(
    async (jobs, { settle }) => {
      const { settled, failed } = await settle(jobs, async (tx, owed) => {
        await tx.query("INSERT INTO picky SELECT unnest($1::integer[])", [owed.map((job) => job.data.n)]);
      });
      settlements.push({ settled: settled.length, failed: failed.map(({ job }) => job.data.n) });
    },
    { size: 8 },
  );
  await queue.addMany(Array.from({ length: 8 }, (_, n) => ({ data: { n } })));
  await eventually("the batch ran", () => settlements.reduce((sum, { settled }) => sum + settled, 0) === 7);
  expect(settlements.flatMap(({ failed }) => failed)).toEqual([3]);

  await bare.pool.query("CREATE SEQUENCE tries");
  await bare.pool.query(
    `CREATE OR REPLACE FUNCTION keyline.settle_jobs(of_queue text, held_ids text, held_attempts text,
        OUT settled integer, OUT missing text, OUT xid text)
      LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'out of order'; END $$`,
  );
  settlements.length = 0;
  await queue.addMany(Array.from({ length: 8 }, (_, n) => ({ data: { n: n + 10 } })));
  await eventually("all have failed", () => settlements.reduce((sum, { failed }) => sum + failed.length, 0) === 8);
  const { rows } = await bare.pool.query<{ tries: string }>("SELECT last_value AS tries FROM tries");
  expect(Number(rows[0]?.tries)).toBe(settlements.length);
  await worker.stop();
  await bare.close();
});

test("a batch handler that throws has the unsettled ones retried and the settled ones done", async () => {
  const queue = stage.nextQueue();
  const worker = queue.workBatch(
    async (jobs, { settle }) => {
      const even = jobs.filter((job) => job.data.n % 2 === 0 || job.attempt > 1);
      await settle(even, async (tx, owed) => {
        for (const job of owed) await stage.write(tx, queue.name, job.data.n);
      });
      if (even.length < jobs.length) throw new Error("the odd ones");
    },
    { size: 10 },
  );
  await queue.addMany(Array.from({ length: 10 }, (_, n) => ({ data: { n } })));
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(await stage.effectsOf(queue.name)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await worker.stop();
});
