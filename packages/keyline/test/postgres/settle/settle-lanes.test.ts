import type { PoolClient } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { JobClaims } from "../../../src/postgres/job/job-claims.ts";
import { JobTable } from "../../../src/postgres/job/job-table.ts";
import { SettleLanes } from "../../../src/postgres/settle/settle-lanes.ts";
import type { HeldRow } from "../../../src/postgres/settle/settlement.ts";
import { QueueCounts } from "../../../src/runtime/counters.ts";
import { openStage, type Stage } from "../../support/stage.ts";

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let stage: Stage;
let database: Database;
let table: JobTable;
let lanes: SettleLanes;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (id text, xid text)");
  database = new Database(stage.databaseUrl, logger);
  table = new JobTable(database, "q", new QueueCounts());
});
beforeEach(async () => {
  await stage.pool.query("TRUNCATE effects, keyline.job");
  lanes = new SettleLanes(new JobClaims(table));
});
afterAll(async () => {
  await database.close();
  await stage.close();
});

let jobs = 0;
async function addJobs(count: number): Promise<HeldRow[]> {
  const added = Array.from({ length: count }, () => ({ id: `j${String(jobs++).padStart(6, "0")}`, attempts: 0 }));
  await table.insert(added.map(({ id }) => ({ id, dataJson: "1", maxAttempts: undefined })));
  return added;
}

async function write(tx: PoolClient, ids: Iterable<string>): Promise<void> {
  await tx.query("INSERT INTO effects SELECT id, pg_current_xact_id()::text FROM unnest($1::text[]) AS owed (id)", [[...ids]]);
}

const settleAll = (batches: readonly HeldRow[][]): Promise<ReadonlySet<string>[]> =>
  Promise.all(batches.map((batch) => lanes.settle({ rows: batch, effects: write, signal: undefined })));

async function effects(): Promise<{ readonly ids: string[]; readonly transactions: number }> {
  const { rows } = await stage.pool.query<{ id: string; xid: string }>("SELECT id, xid FROM effects ORDER BY id");
  return { ids: rows.map(({ id }) => id), transactions: new Set(rows.map(({ xid }) => xid)).size };
}

test.each([1, 3])("settles of one moment share transactions, of %i jobs each", async (size) => {
  const ids: string[] = [];
  let isShared = false;
  // On a machine that is busy otherwise each may go alone now and then.
  for (let round = 1; round <= 50 && !isShared; round++) {
    const batches = await Promise.all(Array.from({ length: 8 }, () => addJobs(size)));
    const settled = await settleAll(batches);
    expect(settled).toEqual(batches.map((batch) => new Set(batch.map(({ id }) => id))));
    ids.push(...batches.flat().map(({ id }) => id));
    isShared = (await effects()).transactions < 8 * round;
  }
  expect(isShared).toBe(true);
  expect((await effects()).ids).toEqual(ids.toSorted());
});

test("effects that were begun on a wrong guess leave nothing behind, and those of the jobs that are owed are written", async () => {
  const first = await addJobs(4);
  const second = await addJobs(4);
  const gone = first.slice(0, 2);
  await settleAll([gone]);
  const settled = await settleAll([first, second, gone]);
  expect(settled).toEqual([new Set(first.slice(2).map(({ id }) => id)), new Set(second.map(({ id }) => id)), new Set()]);
  expect((await effects()).ids).toEqual([...first, ...second].map(({ id }) => id).toSorted());
});

test("effects of a job that was delivered before are called only when it is owed", async () => {
  const [job] = await addJobs(1);
  let calls = 0;
  const settle = (): Promise<ReadonlySet<string>> =>
    lanes.settle({
      rows: job ? [{ ...job, isAgain: true }] : [],
      effects: async () => void calls++,
      signal: undefined,
    });
  expect((await settle()).size).toBe(1);
  expect((await settle()).size).toBe(0);
  expect(calls).toBe(1);
});
