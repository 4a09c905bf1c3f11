import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { migrations } from "../../../src/postgres/client/migrate.ts";
import { openStage, type Stage } from "../../support/stage.ts";

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
