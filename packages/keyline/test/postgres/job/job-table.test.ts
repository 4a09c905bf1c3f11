import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { JobTable } from "../../../src/postgres/job/job-table.ts";
import { completeJobs } from "../../../src/postgres/job/job-claims.ts";
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
  expect((await completeJobs(table, jobs)).ended).toEqual(new Set(["there"]));
  expect([...(await table.findOpen(["there", "overtaken"])).keys()]).toEqual(["overtaken"]);
});
