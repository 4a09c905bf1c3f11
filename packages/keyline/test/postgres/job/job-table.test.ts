import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { JobTable } from "../../../src/postgres/job/job-table.ts";
import { completeJobs, type CompletedRow } from "../../../src/postgres/job/job-claims.ts";
import { QueueCounts } from "../../../src/runtime/counters.ts";
import { openStage, type Stage } from "../../support/stage.ts";

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let stage: Stage;
let database: Database;
let table: JobTable;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  database = new Database(stage.databaseUrl, logger);
  table = new JobTable(database, "q", new QueueCounts());
});
afterAll(async () => {
  await database.close();
  await stage.close();
});

const insert = (id: string): Promise<void> => table.insert([{ id, dataJson: "1", maxAttempts: undefined }]);

test("a retry that is made again after its answer got lost is the same retry; one after a raised count is not", async () => {
  const failure = { heldAttempts: 0, heldParks: 0, attempts: 1, delayMs: 1_000, error: "unlucky", failed: undefined, gone: [] };
  await insert("again");
  expect(await table.failed.retry("again", { ...failure, tag: "mine" })).toBe(true);
  expect(await table.failed.retry("again", { ...failure, tag: "mine" })).toBe(true);
  expect(await table.failed.retry("again", { ...failure, tag: "another" })).toBe(false);
  await insert("raised");
  await table.failed.raiseAttempts([{ id: "raised", attempts: 1, parks: 0 }], { epoch: "", gone: "{}" });
  expect(await table.failed.retry("raised", { ...failure, tag: "mine" })).toBe(false);
  await table.failed.retry("again", { ...failure, heldAttempts: 1, attempts: 2, tag: "next" });
  expect(await table.failed.retry("again", { ...failure, tag: "mine" })).toBe(false);
});

test("completing says which jobs were there to be ended", async () => {
  await insert("there");
  await insert("overtaken");
  await table.failed.raiseAttempts([{ id: "overtaken", attempts: 1, parks: 0 }], { epoch: "", gone: "{}" });
  const jobs = ["there", "overtaken", "gone"].map((id) => ({ id, attempts: 0 }));
  expect((await completeJobs(table, jobs)).ended).toEqual(new Set([jobs[0]]));
  expect([...(await table.findOpen(["there", "overtaken"])).keys()]).toEqual(["overtaken"]);
});

test("of a job that has two elements which end at the same moment that one ends it which counts, with its result", async () => {
  for (const id of ["tried", "changed", "alike"]) await insert(id);
  await table.failed.raiseAttempts([{ id: "tried", attempts: 1, parks: 0 }], { epoch: "", gone: "{}" });
  await stage.pool.query("UPDATE keyline.job SET is_changed = true, changed_in = 2 WHERE id = 'changed'");
  const job = (id: string, attempts: number, period: number | undefined, json: string): CompletedRow => ({
    id,
    attempts,
    period,
    result: { id, json, keepMs: 60_000 },
  });
  const present = [job("tried", 1, undefined, "1"), job("changed", 0, 2, "2"), job("alike", 0, undefined, "3")];
  const old = [job("tried", 0, undefined, "-1"), job("changed", 0, undefined, "-2"), job("changed", 0, 1, "-2")];
  const { ended } = await completeJobs(table, [...old, ...present, ...old, job("alike", 0, undefined, "-3")]);
  expect(ended).toEqual(new Set(present));
  const { rows } = await stage.pool.query("SELECT id, value FROM keyline.outcome WHERE id = ANY ($1) ORDER BY value::text", [
    present.map(({ id }) => id),
  ]);
  expect(rows).toEqual(present.map(({ id }, index) => ({ id, value: index + 1 })));
});
