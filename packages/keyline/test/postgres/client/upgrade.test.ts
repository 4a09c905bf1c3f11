import { readFileSync } from "node:fs";
import type { PoolClient } from "pg";
import { expect, test } from "vitest";
import { migrations } from "../../../src/postgres/client/migrate.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

/** The schema as it was before the migration with this name. */
async function migrateUpTo(stage: Stage, name: string): Promise<void> {
  await stage.pool.query("CREATE SCHEMA keyline");
  await stage.pool.query(
    "CREATE TABLE keyline.migration (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
  );
  for (const [index, each] of migrations.entries()) {
    if (each === name) return;
    await stage.pool.query(readFileSync(new URL(`../../../src/postgres/client/migrations/${each}.sql`, import.meta.url), "utf8"));
    await stage.pool.query("INSERT INTO keyline.migration (version, name) VALUES ($1, $2)", [index + 1, each]);
  }
}

test("a family that an older version added, with a child that has died, kills its parent after the upgrade, and one with an open child waits for it", async () => {
  const stage = await openStage();
  await migrateUpTo(stage, "0022-family-end");
  const add = `SELECT answer FROM keyline.add_family('parents', $1, '{}', NULL, NULL, NULL, 'die', ARRAY['children', 'children'], $2, ARRAY['1', '2'],
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, ARRAY['parents', 'parents'], ARRAY[$1, $1], NULL)`;
  await stage.pool.query(add, ["mourns", ["a", "b"]]);
  await stage.pool.query(add, ["waits", ["c", "d"]]);
  await stage.pool.query("UPDATE keyline.job SET state = 'dead', died_at = now(), last_error = 'it failed' WHERE id = 'a'");
  await stage.pool.query("SELECT keyline.end_special('children', ARRAY['a'], 'dead')");
  await stage.pool.query("SELECT keyline.settle_jobs('children', 'c', NULL)");
  const keyline = stage.keyline();
  await keyline.migrate();
  const parents = keyline.queue<object>("parents", { transactional: true });
  const children = keyline.queue<number>("children", { transactional: true });
  await expect(parents.waitFor("mourns", { timeout: 30_000 })).rejects.toMatchObject({
    code: "JOB_DEAD",
    message: expect.stringContaining("it failed"),
  });
  expect(await parents.job("waits")).toMatchObject({ state: "parked" });
  const outcomes: string[] = [];
  const workers = [
    children.work(() => undefined),
    parents.work(async (job) => {
      for await (const { outcome } of job.children()) outcomes.push(outcome);
    }),
  ];
  await parents.waitFor("waits", { timeout: 30_000 });
  expect(outcomes).toEqual(["completed", "completed"]);
  await Promise.all(workers.map((worker) => worker.stop()));
  await stage.close();
});

test("a process of the version before goes on with the statements that it has prepared, also with one that is under way while the schema is upgraded", async () => {
  const stage = await openStage();
  await migrateUpTo(stage, "0036-update-period");
  const insert =
    "INSERT INTO keyline.job (queue, id, data, attempts, delivered_to) SELECT 'q', 'j' || n, '1', 1, 'x' FROM generate_series(1, 4) AS n";
  const [old, caller] = [await stage.pool.connect(), await stage.pool.connect()];
  const calls: readonly [name: string, text: string, values: unknown[]][] = [
    ["one", "SELECT keyline.settle_job($1, $2, $3) IS NOT NULL AS is_done", ["q", "j1", 1]],
    ["all", "SELECT settled = 1 AS is_done FROM keyline.settle_jobs($1, $2, $3)", ["q", "j2", "1"]],
    ["steps", "SELECT answer = 'owed' AS is_done FROM keyline.begin_steps($1, $2, $3, $4, $5, $6)", ["q", ["j3"], [1], [0], ["a step"], 9]],
    [
      "park",
      "SELECT answer = 'parked' AS is_done FROM keyline.park($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      ["q", "j4", 1, 0, "sleep", "nap", 9e9, 9, "t"],
    ],
  ];
  const call = async (client: PoolClient): Promise<unknown[]> => {
    const done = [];
    for (const [name, text, values] of calls)
      done.push((await client.query<{ is_done: boolean }>({ name, text, values })).rows[0]?.is_done);
    await client.query("DELETE FROM keyline.job");
    return done;
  };
  for (const client of [old, caller]) {
    await client.query(insert);
    expect(await call(client)).toEqual([true, true, true, true]);
  }
  await old.query(insert);
  const upgrade = await stage.pool.connect();
  await upgrade.query("BEGIN");
  await upgrade.query(readFileSync(new URL("../../../src/postgres/client/migrations/0036-update-period.sql", import.meta.url), "utf8"));
  const underWay = call(caller);
  const waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%settle_job%'";
  await eventually("the call waits for the upgrade", async () => (await stage.pool.query(waits)).rowCount === 1);
  await upgrade.query("COMMIT");
  expect(await underWay).toEqual([true, true, true, true]);
  await old.query(insert);
  expect(await call(old)).toEqual([true, true, true, true]);
  for (const client of [old, caller, upgrade]) client.release();
  await stage.close();
}, 60_000);
