import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Keyline } from "keyline";
import { openEffectsStage, type EffectsStage, type N } from "../../support/effects-stage.ts";
import { eventually } from "../../support/stage.ts";

let stage: EffectsStage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openEffectsStage();
  keyline = stage.keyline();
});
afterAll(() => stage.close());

test("within a transaction is visible after COMMIT, and never after ROLLBACK", async () => {
  const queue = stage.nextQueue();
  const failure = keyline.transaction(async (tx) => {
    await stage.write(tx, queue.name, 0);
    await queue.add({ n: 0 }, { tx });
    throw new Error("changed my mind");
  });
  await expect(failure).rejects.toThrow("changed my mind");
  const { id } = await keyline.transaction(async (tx) => {
    await stage.write(tx, queue.name, 1);
    const result = await queue.add({ n: 1 }, { tx });
    expect(await stage.waiting(queue.name)).toEqual([]);
    return result;
  });
  await eventually("it is on Valkey", async () => (await stage.waiting(queue.name)).length === 1);
  expect((await stage.waiting(queue.name)).map((raw) => JSON.parse(raw))).toMatchObject([{ id, data: { n: 1 } }]);
  expect(await stage.rowsOf(queue.name)).toMatchObject([{ id, state: "waiting", attempts: 0 }]);
  expect(await stage.effectsOf(queue.name)).toEqual([1]);
});

test("with a foreign client's own BEGIN and COMMIT goes out at the COMMIT, without the relay", async () => {
  const queue = stage.nextQueue();
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  await client.query("BEGIN");
  await queue.add({ n: 1 }, { tx: client });
  await client.query("COMMIT");
  await eventually("it is on Valkey", async () => (await stage.waiting(queue.name)).length === 1);
  // The relay marks what it brings with "again".
  expect((await stage.waiting(queue.name))[0]).not.toContain('"again"');
  await client.query("BEGIN");
  await queue.add({ n: 2 }, { tx: client });
  await client.query("ROLLBACK");
  await client.query("BEGIN");
  await queue.add({ n: 3 }, { tx: client });
  await client.query("SELECT 1/0").catch(() => undefined);
  await client.query("COMMIT");
  await client.query("BEGIN");
  await queue.add({ n: 4 }, { tx: client });
  await client.query("SAVEPOINT here");
  await queue.add({ n: 5 }, { tx: client });
  await client.query("ROLLBACK TO SAVEPOINT here");
  await queue.add({ n: 6 }, { tx: client });
  await client.query("COMMIT");
  await eventually("what was committed is on Valkey", async () => (await stage.waiting(queue.name)).length >= 3);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const data = (await stage.waiting(queue.name)).map((raw) => (JSON.parse(raw) as { data: N }).data.n);
  expect(data.toReversed()).toEqual([1, 4, 6]);
  await client.end();
});

test("with a client whose connection cannot be seen is brought by the relay", async () => {
  const queue = stage.nextQueue();
  const client = await stage.pool.connect();
  const wrapper = { query: (text: string, values?: unknown[]) => client.query(text, values) };
  await client.query("BEGIN");
  await queue.add({ n: 1 }, { tx: wrapper });
  await client.query("COMMIT");
  client.release();
  await eventually("it is on Valkey", async () => (await stage.waiting(queue.name)).length === 1);
  expect((await stage.waiting(queue.name))[0]).toContain('"again":true');
});

test("with a client that is in no transaction is refused, and nothing is written", async () => {
  const queue = stage.nextQueue();
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  await expect(queue.add({ n: 1 }, { tx: client })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
  // @ts-expect-error: a pool is no transaction
  await expect(queue.add({ n: 1 }, { tx: stage.pool })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
  expect(await stage.rowsOf(queue.name)).toEqual([]);
  await client.end();
});

test("without a transaction is committed when it resolves, and coalesced", async () => {
  const queue = stage.nextQueue();
  const results = await Promise.all(Array.from({ length: 200 }, (_, n) => queue.add({ n })));
  expect((await stage.rowsOf(queue.name)).map((row) => row.id)).toEqual(results.map((result) => result.id));
  await eventually("all are on Valkey", async () => (await stage.waiting(queue.name)).length === 200);
});

test("with an id that is still known adds nothing, until the job is settled", async () => {
  const queue = stage.nextQueue();
  expect(await queue.add({ n: 1 }, { id: "mine" })).toEqual({ id: "mine", added: true });
  expect(await queue.add({ n: 2 }, { id: "mine" })).toEqual({ id: "mine", added: false });
  expect(
    await queue.addMany([
      { data: { n: 3 }, id: "x" },
      { data: { n: 4 }, id: "x" },
    ]),
  ).toEqual([
    { id: "x", added: true },
    { id: "x", added: false },
  ]);
  await keyline.transaction(async (tx) => {
    expect(await queue.add({ n: 5 }, { id: "mine", tx })).toEqual({ id: "mine", added: false });
  });
  const worker = queue.work((job, { settle }) => settle((tx) => stage.write(tx, queue.name, job.data.n).then(() => undefined)));
  await eventually("both are settled", async () => (await stage.effectsOf(queue.name)).length === 2);
  await eventually("the row is gone", async () => (await stage.rowsOf(queue.name)).length === 0);
  expect(await stage.effectsOf(queue.name)).toEqual([1, 3]);
  expect(await queue.add({ n: 6 }, { id: "mine" })).toEqual({ id: "mine", added: true });
  await eventually("it is settled too", async () => (await stage.effectsOf(queue.name)).length === 3);
  await worker.stop();
});

test("notes deliveries late, and only those of jobs that wait", async () => {
  const queue = stage.nextQueue();
  await queue.add({ n: 1 });
  await eventually("its delivery is noted", async () => (await stage.rowsOf(queue.name))[0]?.delivered_to !== null);
});

test("two transactions that commit in the opposite order of their ids are both delivered while the relay runs", async () => {
  const queue = stage.nextQueue();
  // Wrapped, so that only the relay can deliver.
  const hidden = (client: pg.PoolClient): { query: (text: string, values?: unknown[]) => Promise<pg.QueryResult> } => ({
    query: (text, values) => client.query(text, values),
  });
  const [first, second] = [await stage.pool.connect(), await stage.pool.connect()];
  await first.query("BEGIN");
  await second.query("BEGIN");
  await queue.add({ n: 1 }, { tx: hidden(first) });
  await queue.add({ n: 2 }, { tx: hidden(second) });
  await second.query("COMMIT");
  await eventually("the later id is delivered", async () => (await stage.waiting(queue.name)).length === 1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await first.query("COMMIT");
  await eventually("the earlier id is delivered too", async () => (await stage.waiting(queue.name)).length === 2);
  first.release();
  second.release();
});
