import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { RowStatusReader } from "../../../src/postgres/job/row-status.ts";
import { silentLogger as logger } from "../../../src/runtime/logger.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

const many = 60_000;

let stage: Stage;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  database = new Database(stage.databaseUrl, logger);
  await stage.keyline().migrate();
  // As after a sudden wave of deaths: statistics know of none of them.
  await stage.pool.query("ALTER TABLE keyline.job SET (autovacuum_enabled = off)");
});
afterAll(async () => {
  await database.close();
  await stage.close();
});

async function add(queue: string, count: number, state: "dead" | "parked"): Promise<void> {
  const columns = state === "dead" ? "'dead', NULL, now() - n * interval '1 second'" : "'scheduled', 'children', NULL";
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, parked, died_at)
      SELECT $1, $2 || '-' || n || '-' || random(), '1', ${columns} FROM generate_series(1, $3) AS n`,
    [queue, state, count],
  );
}

/** How many rows and entries of indexes were read by all sessions that have ended. */
async function read(): Promise<number> {
  const { rows } = await stage.pool.query<{ read: string }>(
    `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'keyline' AND relname = 'job')
      + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'keyline' AND relname = 'job') AS read`,
  );
  return Number(rows[0]?.read ?? 0);
}

test("few rows are counted anew each time", async () => {
  const reader = new RowStatusReader(database, "few");
  expect(await reader.read()).toEqual({ dead: 0, parked: 0, dropped: 0 });
  for (let round = 1; round <= 3; round++) {
    await add("few", 7, "dead");
    await add("few", 2, "parked");
    expect(await reader.read()).toEqual({ dead: 7 * round, parked: 2 * round, dropped: 0 });
  }
});

test("many are counted all, and for the others who ask only the first of them are looked at", async () => {
  await add("many", many, "dead");
  await add("many", 12_000, "parked");
  const own = new Database(stage.databaseUrl, logger);
  const reader = new RowStatusReader(own, "many");
  const before = await read();
  const [first, ...others] = await Promise.all([reader.read(), reader.read(), reader.read()]);
  expect(first).toEqual({ dead: many, parked: 12_000, dropped: 0 });
  expect(others).toEqual([first, first]);
  // It rests for two seconds at the least; a busy machine may have it counted once more.
  for (let look = 0; look < 10; look++) expect(await reader.read()).toEqual(first);
  await own.close();
  let cost = 0;
  await eventually("it is told what was read", async () => (cost = (await read()) - before) >= many);
  const looks = 13 * 20_000;
  expect(cost).toBeLessThan(looks + 3 * (many + 12_000));
});

test("what changes among many is seen after a while, and at once when few are left", async () => {
  await add("changing", 15_000, "dead");
  const reader = new RowStatusReader(database, "changing");
  expect((await reader.read()).dead).toBe(15_000);
  await add("changing", 1_000, "dead");
  await eventually("it is counted again", async () => (await reader.read()).dead === 16_000);
  await stage.pool.query("DELETE FROM keyline.job WHERE queue = 'changing' AND died_at < now() - interval '100 seconds'");
  expect((await reader.read()).dead).toBeLessThan(300);
});
