import { afterAll, beforeAll, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage } from "../../support/effects-stage.ts";
import { eventually, gate } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test("steps of many jobs share transactions: one that fails takes no neighbour down, and each is done once and answered with its own value", async () => {
  const queue = stage.nextQueue();
  const transactions = new Set<string>();
  const wrong: unknown[] = [];
  const worker = queue.work(
    async ({ data: { n }, attempt }, { step }) => {
      for (const name of ["one", "two"]) {
        const value = await step(name, async (tx) => {
          const { rows } = await tx.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid");
          await stage.write(tx, queue.name, name === "one" ? n : -1 - n);
          if (n % 17 === 0 && attempt === 1 && name === "two") throw new Error("unlucky");
          transactions.add(rows[0]?.xid ?? "");
          return n === 3 ? undefined : { n, name };
        });
        if (JSON.stringify(value) !== JSON.stringify(n === 3 ? undefined : { n, name })) wrong.push([n, name, value]);
      }
    },
    { concurrency: 40 },
  );
  // On a busy machine effects may be so slow that each is done alone: then there are more of them, until some have shared.
  let count = 0;
  while (count === 0 || (transactions.size === 2 * count && count < 2_000)) {
    await queue.addMany(upTo(200).map(() => ({ data: { n: count++ } })));
    await eventually("all have ended", async () => (await stage.rowsOf(queue.name)).length === 0);
  }
  const once = [...upTo(count).map((n) => -1 - n), ...upTo(count)].toSorted((one, other) => one - other);
  expect(await stage.effectsOf(queue.name)).toEqual(once);
  expect(wrong).toEqual([]);
  expect(transactions.size).toBeLessThan(2 * count);
  await worker.stop();
});

test("copies of a job whose steps share a transaction do each step once, and so do their neighbours", async () => {
  const queue = stage.nextQueue();
  await queue.addMany(upTo(60).map((n) => ({ data: { n } })));
  await eventually("all are on Valkey", async () => (await stage.waiting(queue.name)).length === 60);
  const raws = await stage.waiting(queue.name);
  await stage.valkey.rpush(
    `${stage.prefix}:{${queue.name}}:waiting`,
    ...raws.filter((_, index) => index % 3 === 0).flatMap((raw) => [raw, raw]),
  );
  const worker = queue.work(
    async ({ data: { n } }, { step }) => {
      await step("write", (tx) => stage.write(tx, queue.name, n));
    },
    { concurrency: 40 },
  );
  worker.on("error", () => undefined);
  await eventually("all have ended", async () => (await stage.rowsOf(queue.name)).length === 0);
  await eventually("all are taken", async () => (await stage.waiting(queue.name)).length === 0);
  await worker.stop();
  expect(await stage.effectsOf(queue.name)).toEqual(upTo(60));
});

test("a function that ends the transaction of its step, and begins another, remembers nothing, and no neighbour has effects twice", async () => {
  const queue = stage.nextQueue();
  const refused: [number, string][] = [];
  const worker = queue.work(
    async ({ data: { n }, attempt }, { step }) => {
      const done = step("write", async (tx) => {
        if (n % 10 === 5 && attempt === 1) await tx.query("ROLLBACK; BEGIN");
        await stage.write(tx, queue.name, n);
      });
      await done.catch((error: Error) => {
        refused.push([n, error.message]);
        throw error;
      });
    },
    { concurrency: 20 },
  );
  await queue.addMany(upTo(100).map((n) => ({ data: { n } })));
  await eventually("all have ended", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(await stage.effectsOf(queue.name)).toEqual(upTo(100));
  const message = "the transaction in which a step began was ended by what was written in it";
  expect(refused.toSorted(([one], [other]) => one - other)).toEqual(upTo(10).map((ten) => [10 * ten + 5, message]));
  await worker.stop();
});

test("steps that had to wait for the rows of their jobs leave no transaction open, and are done", async () => {
  const queue = stage.nextQueue();
  const added = await queue.addMany(upTo(4).map((n) => ({ data: { n } })));
  const all = gate();
  let running = 0;
  const client = await stage.pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT FROM keyline.job WHERE queue = $1 AND id = ANY ($2) FOR UPDATE", [queue.name, added.map(({ id }) => id)]);
  const worker = queue.work(
    async ({ data: { n } }, { step }) => {
      if (++running === 4) all.open();
      await all.opened;
      await step("write", (tx) => stage.write(tx, queue.name, n));
    },
    { concurrency: 4 },
  );
  await eventually("steps wait for the rows", async () => {
    const { rows } = await stage.pool.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%begin_steps%'",
    );
    return rows.length >= 2;
  });
  // Longer than a step waits for its neighbours: those that share its transaction have gone back by then.
  await client.query("SELECT pg_sleep(0.2)");
  await client.query("COMMIT");
  client.release();
  // One that was left open would keep the others waiting.
  await eventually("all have ended", async () => (await stage.rowsOf(queue.name)).length === 0, 10_000);
  expect(await stage.effectsOf(queue.name)).toEqual(upTo(4));
  const { rows } = await stage.pool.query(
    "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
  );
  expect(rows).toEqual([]);
  await worker.stop();
});
