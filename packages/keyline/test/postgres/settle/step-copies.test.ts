import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { JobTable } from "../../../src/postgres/job/job-table.ts";
import { StepTable, type StepRow } from "../../../src/postgres/job/step-table.ts";
import { SettleLanes } from "../../../src/postgres/settle/settle-lanes.ts";
import { QueueCounts } from "../../../src/runtime/counters.ts";
import { openStage, type Stage } from "../../support/stage.ts";

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let stage: Stage;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (id text, step text)");
  database = new Database(stage.databaseUrl, logger);
});
afterAll(async () => {
  await database.close();
  await stage.close();
});

test("steps that share a transaction: of a job with two elements only that one does its step whose attempt counts", async () => {
  const table = new JobTable(database, "q", new QueueCounts());
  const lanes = new SettleLanes<StepRow>(new StepTable(table));
  const step = (id: string, name: string, more: Partial<StepRow> = {}): StepRow => ({
    id,
    attempts: 0,
    parks: 0,
    isAgain: true,
    step: name,
    ...more,
  });
  const settle = (row: StepRow): Promise<ReadonlySet<string>> =>
    lanes.settle({
      rows: [row],
      effects: async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2)", [row.id, row.step])),
      signal: undefined,
    });
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, delivered_to, is_changed, attempts)
     VALUES ('q', 'changed', '1', 'x', true, 0), ('q', 'tried', '1', 'x', NULL, 1),
       ('q', 'a', '1', 'x', NULL, 0), ('q', 'b', '1', 'x', NULL, 0), ('q', 'c', '1', 'x', NULL, 0), ('q', 'd', '1', 'x', NULL, 0)`,
  );
  const done = await Promise.all(
    [
      step("changed", "old data"),
      step("changed", "row's data", { period: 0 }),
      step("tried", "overtaken"),
      step("tried", "present", { attempts: 1 }),
      ...["a", "b", "c", "d"].map((id) => step(id, "one")),
    ].map(async (row) => [row.id, row.step, (await settle(row)).size]),
  );
  expect(done.filter(([, , count]) => count === 0)).toEqual([
    ["changed", "old data", 0],
    ["tried", "overtaken", 0],
  ]);
  const { rows } = await stage.pool.query<{ id: string; step: string }>("SELECT id, step FROM effects ORDER BY id");
  const { rows: remembered } = await stage.pool.query("SELECT job_id AS id, name AS step FROM keyline.step ORDER BY job_id");
  expect(rows).toEqual(remembered);
  expect(rows.map((row) => row.step)).toEqual(["one", "one", "one", "row's data", "one", "present"]);
});
