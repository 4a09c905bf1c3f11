import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { JobTable } from "../../../src/postgres/job/job-table.ts";
import type { OnceJob } from "../../../src/postgres/job/once-rows.ts";
import { QueueCounts } from "../../../src/runtime/counters.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

const hour = 3_600_000;
const ids = ["1", "2", "3"];

let stage: Stage;
let database: Database;
let table: JobTable;
let queues = 0;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  database = new Database(stage.databaseUrl, silentLogger);
});

beforeEach(async () => {
  table = new JobTable(database, `queue ${queues++}`, new QueueCounts());
  await table.charge.take("epoch", undefined);
});

afterAll(async () => {
  await database.close();
  await stage.close();
});

const keyed = (id: string, key: string): OnceJob => ({
  id,
  dataJson: "1",
  maxAttempts: undefined,
  delayMs: hour,
  isOwnId: false,
  once: { key, windowMs: hour, keep: "latest" },
});

/** Jobs whose keys are in the opposite order of their ids. */
const addKeyed = (): Promise<unknown> => table.once.add(["c", "b", "a"].map((key, index) => keyed(ids[index] ?? "", key)));

/** A transaction that holds the row in the middle, for as long as `work` takes. */
async function whileHeld(work: () => Promise<void>): Promise<void> {
  const holder = await stage.pool.connect();
  await holder.query("BEGIN");
  await holder.query("SELECT FROM keyline.job WHERE queue = $1 AND id = '2' FOR UPDATE", [table.queue]);
  try {
    await work();
  } finally {
    await holder.query("COMMIT");
    holder.release();
  }
}

async function waitsFor(what: string): Promise<void> {
  const text = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE $1";
  await eventually(`${what} waits`, async () => (await stage.pool.query(text, [`%${what}%`])).rows.length > 0);
}

async function free(): Promise<string[]> {
  const text = "SELECT id FROM keyline.job WHERE queue = $1 ORDER BY id FOR UPDATE SKIP LOCKED";
  return (await stage.pool.query<{ id: string }>(text, [table.queue])).rows.map(({ id }) => id);
}

test("a note of deliveries waits for nobody, and tells which jobs are to be noted later", async () => {
  await addKeyed();
  await whileHeld(async () => {
    expect(await table.mark("epoch", ids, undefined)).toEqual({ isInCharge: true, busy: new Set(["2"]) });
    expect(await noted()).toEqual(["1", "3"]);
  });
  expect(await table.mark("epoch", [...ids, "gone"], undefined)).toEqual({ isInCharge: true, busy: new Set() });
  expect(await noted()).toEqual(ids);
  expect(await table.mark("another", ids, undefined)).toEqual({ isInCharge: false, busy: new Set() });
});

test("what a rebuild notes waits for nobody either", async () => {
  await addKeyed();
  await table.mark("epoch", ids, undefined);
  await table.charge.take("next", "epoch");
  await whileHeld(() => table.markAgain("next", ids));
  expect(await noted("next")).toEqual(["1", "3"]);
});

async function noted(epoch = "epoch"): Promise<string[]> {
  const text = "SELECT id FROM keyline.job WHERE queue = $1 AND delivered_to = $2 ORDER BY id";
  return (await stage.pool.query<{ id: string }>(text, [table.queue, epoch])).rows.map(({ id }) => id);
}

test("adds that replace others lock their rows by the order of ids, whatever their keys", async () => {
  await addKeyed();
  let adding: Promise<{ readonly there: string }[]> | undefined;
  await whileHeld(async () => {
    adding = table.once.add(["a", "b", "c"].map((key, index) => keyed(`again ${index}`, key)));
    await waitsFor("add_once");
    expect(await free()).toEqual(["3"]);
  });
  expect((await adding)?.map(({ there }) => there)).toEqual(["3", "2", "1"]);
});

test("counts are raised by the order of ids, also where rows are looked up one by one", async () => {
  await addKeyed();
  // Their time has come, and a worker had them.
  await stage.pool.query("UPDATE keyline.job SET due_at = now() WHERE queue = $1", [table.queue]);
  const others = Array.from({ length: 5_000 }, (_, index) => ({ id: `other ${index}`, dataJson: "1", maxAttempts: undefined }));
  await table.insert(others);
  await stage.pool.query("ANALYZE keyline.job");
  let raising: Promise<void> | undefined;
  await whileHeld(async () => {
    const raised = ids.toReversed().map((id) => ({ id, attempts: 1, parks: 0 }));
    raising = table.failed.raiseAttempts(raised, { epoch: "epoch", gone: "{}" });
    await waitsFor("raised.attempts");
    expect((await free()).filter((id) => ids.includes(id))).toEqual(["3"]);
  });
  await raising;
  expect([...(await table.findOpen(ids)).values()]).toEqual([1, 1, 1]);
});

const plain = (id: string): OnceJob => ({ id, dataJson: "1", maxAttempts: undefined, isOwnId: true });
const forms = [
  { name: "plain", add: (tx: pg.PoolClient, given: string[]) => table.insertWithin(tx, given.map(plain)) },
  { name: "placed", add: (tx: pg.PoolClient, given: string[]) => table.placed.insertWithin(tx, given.map(plain)) },
  { name: "beside keys", add: (tx: pg.PoolClient, given: string[]) => table.once.addWithin(tx, given.map(plain)) },
];

test.each(forms)("two that add jobs with the same ids in opposite orders do not stand in each other's way ($name)", async ({ add }) => {
  const [holder, one, other] = await Promise.all([stage.pool.connect(), stage.pool.connect(), stage.pool.connect()]);
  for (const client of [holder, one, other]) await client.query("BEGIN");
  await add(holder, ["2"]);
  const adding = [
    { tx: one, given: ids },
    { tx: other, given: ids.toReversed() },
  ].map(async ({ tx, given }) => {
    const { rows } = await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const added = add(tx, given).then(() => tx.query("COMMIT"));
    const text = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = $1";
    await eventually("it waits", async () => (await stage.pool.query(text, [rows[0]?.pid])).rows.length === 1);
    return { added };
  });
  const both = await Promise.all(adding);
  await holder.query("ROLLBACK");
  await Promise.all(both.map(({ added }) => added));
  for (const client of [holder, one, other]) client.release();
  const text = "SELECT id FROM keyline.job WHERE queue = $1 ORDER BY seq";
  const rows = (await stage.pool.query<{ id: string }>(text, [table.queue])).rows.map(({ id }) => id);
  // The order of adding is that of who came first.
  expect([ids.join(), ids.toReversed().join()]).toContain(rows.join());
});
