import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { DeadTable, type DeadKey } from "../../../src/postgres/job/dead-table.ts";
import { silentLogger as logger } from "../../../src/runtime/logger.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

const many = 20_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  // As after a sudden wave of deaths: statistics know of none of them.
  await stage.pool.query("ALTER TABLE keyline.job SET (autovacuum_enabled = off)");
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, died_at, last_error)
      SELECT 'q', 'job-' || n, '1', 'dead', now() - n * interval '1 second', 'Error: no' FROM generate_series(1, $1) AS n`,
    [many],
  );
});
afterAll(() => stage.close());

/** How many rows and entries of indexes were read, and visited for nothing, by all sessions that have ended. */
async function read(): Promise<number> {
  const { rows } = await stage.pool.query<{ read: string }>(
    `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'keyline' AND relname = 'job')
      + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'keyline' AND relname = 'job') AS read`,
  );
  return Number(rows[0]?.read ?? 0);
}

async function costOf(work: (table: DeadTable) => Promise<number>): Promise<number> {
  const before = await read();
  const database = new Database(stage.databaseUrl, logger);
  const done = await work(new DeadTable(database, "q"));
  // A session tells what it has read when it ends, at the latest.
  await database.close();
  let now = before;
  await eventually("it is told what was read", async () => (now = await read()) - before >= done);
  return now - before;
}

const page = (table: DeadTable): Promise<readonly DeadKey[]> =>
  table.page({ first: 0, last: Number.MAX_SAFE_INTEGER - 1, after: undefined, order: "oldest", limit: 500 });

test("a page of dead letters is read, redriven and discarded without a look at the others", async () => {
  const cost = await costOf(async (table) => {
    expect(await table.of(["job-7", "nobody"])).toMatchObject([{ id: "job-7" }]);
    expect(await table.read((await page(table)).slice(0, 50))).toHaveLength(50);
    expect((await table.redrive(await page(table))).rows).toHaveLength(500);
    expect(await table.discard(await page(table))).toBe(500);
    return 2_000;
  });
  expect(cost).toBeLessThan(10_000);
});

test("dropping a page walks over those that are kept once", async () => {
  const cost = await costOf((table) => table.drop({ maxLength: many / 2, maxAgeMs: 86_400_000 }, 500));
  expect(cost).toBeLessThan(2 * many);
  const database = new Database(stage.databaseUrl, logger);
  expect(await new DeadTable(database, "q").counts()).toEqual({ dead: many - 1_500, parked: 0, dropped: 500 });
  await database.close();
});

test("a letter that died again since it was read is another one", async () => {
  const database = new Database(stage.databaseUrl, logger);
  const table = new DeadTable(database, "q");
  const [head] = await table.of(["job-1"]);
  const stale = [{ id: "job-1", place: (head?.place ?? 0) - 1 }];
  expect(await table.read(stale)).toEqual([]);
  expect((await table.redrive(stale)).rows).toEqual([]);
  expect(await table.discard(stale)).toBe(0);
  await database.close();
});

test("one process at a time looks for what is too old", async () => {
  const database = new Database(stage.databaseUrl, logger);
  const table = new DeadTable(database, "looked-at");
  expect(await Promise.all([table.mayLook(60_000), table.mayLook(60_000)])).toContain(false);
  expect(await table.mayLook(60_000)).toBe(false);
  await eventually("its time has come again", () => table.mayLook(10));
  await database.close();
});
