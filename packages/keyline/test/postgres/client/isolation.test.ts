import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.pool.query(
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$`,
  );
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
  await stage.pool.query("CREATE TABLE seats (name text)");
});
afterAll(() => stage.close());

test("with SERIALIZABLE as the database's default every add, append and settle takes effect once", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("serializable", { transactional: true });
  const stream = keyline.stream<number>("serializable", { transactional: true });
  const other = stage.keyline();
  const settled: number[] = [];
  for (const one of [keyline, other]) {
    const worked = one === keyline ? queue : one.queue<number>("serializable", { transactional: true });
    worked.work(
      async (job, { settle }) => {
        await settle((tx) => tx.query("INSERT INTO effects VALUES ($1)", [job.data]).then(() => undefined));
        settled.push(job.attempt);
      },
      { concurrency: 5 },
    );
  }
  const twin = other.stream<number>("serializable", { transactional: true });
  const adds: Promise<unknown>[] = [];
  for (let n = 0; n < 300; n++) {
    adds.push(queue.add(n));
    if (n % 3 === 0) adds.push(stream.append(n), twin.append(n));
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(adds);
  await eventually("all are settled", () => settled.length === 300);
  expect(new Set(settled)).toEqual(new Set([1]));
  const { rows } = await stage.pool.query("SELECT FROM effects");
  expect(rows.length).toBe(300);
  let events = 0;
  for await (const { id } of stream.read()) if (id !== "") events++;
  expect(events).toBe(200);
  await Promise.all([keyline.close(), other.close()]);
});

test("of two transactions in each other's way one gets an error that says it can be done again", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<string>("seats", { transactional: true });
  let read = 0;
  const take = (name: string): Promise<void> =>
    keyline.transaction(async (tx) => {
      const { rows } = await tx.query("SELECT FROM seats");
      read++;
      await eventually("both have read", () => read >= 2);
      await tx.query("INSERT INTO seats SELECT $1 WHERE $2", [name, rows.length === 0]);
      await queue.add(name, { tx });
    });
  const ended = await Promise.allSettled([take("ann"), take("bob")]);
  expect(ended.filter(({ status }) => status === "fulfilled").length).toBe(1);
  const failed = ended.find((one) => one.status === "rejected");
  expect(failed?.reason).toMatchObject({ code: "CONFLICT", cause: { code: "40001" } });
  expect((await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'seats'")).rows.length).toBe(1);
  await keyline.close();
});

test("processes that migrate at once do it once", async () => {
  const fresh = await openStage();
  await fresh.pool.query(
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$`,
  );
  const keylines = Array.from({ length: 4 }, () => fresh.keyline());
  await Promise.all(keylines.map((keyline) => keyline.migrate()));
  const client = new pg.Client({ connectionString: fresh.databaseUrl });
  await client.connect();
  expect((await client.query("SHOW transaction_isolation")).rows).toEqual([{ transaction_isolation: "serializable" }]);
  await client.end();
  await fresh.close();
});
