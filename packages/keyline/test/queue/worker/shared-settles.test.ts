import { afterAll, beforeAll, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually, gate } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

test("many at once share transactions: effects that fail take no neighbour down, and every job is settled once", async () => {
  const queue = stage.nextQueue();
  const transactions = new Set<string>();
  const retried: number[] = [];
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => {
        const { rows } = await tx.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid");
        await stage.write(tx, queue.name, job.data.n);
        if (job.data.n % 17 === 0 && job.attempt === 1) throw new Error("unlucky");
        transactions.add(rows[0]?.xid ?? "");
      });
    },
    { concurrency: 40 },
  );
  worker.on("retried", (job) => retried.push(job.data.n));
  // On a busy machine effects may be so slow that each is settled alone: then there are more of them, until some have shared.
  let count = 0;
  while (count === 0 || (transactions.size === count && count < 4_000)) {
    await queue.addMany(Array.from({ length: 400 }, () => ({ data: { n: count++ } })));
    await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  }
  const numbers = Array.from({ length: count }, (_, n) => n);
  expect(await stage.effectsOf(queue.name)).toEqual(numbers);
  expect(retried.toSorted((one, other) => one - other)).toEqual(numbers.filter((n) => n % 17 === 0));
  expect(transactions.size).toBeLessThan(count);
  await worker.stop();
});

test("jobs that are on the queue twice and share transactions have their effects once, and so have their neighbours", async () => {
  const queue = stage.nextQueue();
  const numbers = Array.from({ length: 60 }, (_, n) => n);
  await queue.addMany(numbers.map((n) => ({ data: { n } })));
  await eventually("all are on Valkey", async () => (await stage.waiting(queue.name)).length === 60);
  const raws = await stage.waiting(queue.name);
  await stage.valkey.rpush(`${stage.prefix}:{${queue.name}}:waiting`, ...raws.filter((_, index) => index % 3 === 0));
  const answers: boolean[] = [];
  const worker = queue.work(
    async (job, { settle }) => {
      answers.push(await settle(async (tx) => void (await stage.write(tx, queue.name, job.data.n))));
    },
    { concurrency: 40 },
  );
  worker.on("error", () => undefined);
  await eventually("all have run", () => answers.length === 80);
  expect(answers.filter((isOurs) => isOurs)).toHaveLength(60);
  expect(await stage.effectsOf(queue.name)).toEqual(numbers);
  expect(await stage.rowsOf(queue.name)).toEqual([]);
  await worker.stop();
});

test("effects that hang hold up no neighbour, and end with their attempt's time", async () => {
  const queue = stage.nextQueue();
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => {
        await stage.write(tx, queue.name, job.data.n);
        if (job.data.n === 3 && job.attempt === 1) await new Promise(() => undefined);
      });
    },
    { concurrency: 20, timeout: 1_000 },
  );
  const retried = Promise.withResolvers<Error>();
  worker.on("retried", (_, error) => retried.resolve(error));
  await queue.addMany(Array.from({ length: 20 }, (_, n) => ({ data: { n } })));
  await eventually("its neighbours are settled", async () => (await stage.effectsOf(queue.name)).length >= 19);
  expect(await retried.promise).toMatchObject({ code: "TIMEOUT" });
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(await stage.effectsOf(queue.name)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  await worker.stop();
});

test("more settles than the pool has connections is no outage", async () => {
  const small = stage.keyline({ postgres: { connectionString: stage.databaseUrl, max: 2, connectionTimeoutMillis: 500 } });
  const queue = small.queue<N>("small-pool", { transactional: true });
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => {
        await tx.query("SELECT pg_sleep(0.8)");
        await stage.write(tx, queue.name, job.data.n);
      });
    },
    { concurrency: 8 },
  );
  await queue.addMany(Array.from({ length: 8 }, (_, n) => ({ data: { n } })));
  await eventually("all are settled", async () => (await stage.effectsOf(queue.name)).length === 8);
  expect(stage.log.filter((line) => line.message.startsWith("PostgreSQL is away"))).toEqual([]);
  await worker.stop();
  expect(() => stage.keyline({ postgres: { max: 1 } })).toThrow(/at least 2/);
});

test("slow effects run side by side, up to the worker's concurrency", async () => {
  const queue = stage.nextQueue();
  const all = gate();
  let inside = 0;
  const worker = queue.work(
    async (_, { settle }) => {
      await settle(async () => {
        if (++inside === 6) all.open();
        await all.opened;
      });
    },
    { concurrency: 6 },
  );
  await queue.addMany(Array.from({ length: 6 }, (_, n) => ({ data: { n } })));
  await all.opened;
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  await worker.stop();
});

test("a function that ends the transaction itself settles no neighbour without its effects", async () => {
  const queue = stage.nextQueue();
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => {
        if (job.data.n % 10 === 5) await tx.query("COMMIT");
        await stage.write(tx, queue.name, job.data.n);
      });
    },
    { concurrency: 20 },
  );
  await queue.addMany(Array.from({ length: 100 }, (_, n) => ({ data: { n } })));
  await eventually("all are settled", async () => (await stage.rowsOf(queue.name)).length === 0);
  // What is written after such a COMMIT is there a moment after the row is gone.
  await eventually("all is written", async () => new Set(await stage.effectsOf(queue.name)).size === 100);
  const numbers = await stage.effectsOf(queue.name);
  expect([...new Set(numbers)]).toEqual(Array.from({ length: 100 }, (_, n) => n));
  await worker.stop();
});
