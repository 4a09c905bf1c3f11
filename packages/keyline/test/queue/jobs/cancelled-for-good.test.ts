import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { CancelledRows } from "../../../src/postgres/job/cancelled-rows.ts";
import { OutcomeTable } from "../../../src/postgres/job/outcome-table.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  database = new Database(stage.databaseUrl, silentLogger);
});
afterAll(async () => {
  await database.close();
  await stage.close();
});

test("the id of a job whose cancel did not come to its end can be used again, however late a worker comes", async () => {
  const queue = stage.keyline().queue<string>("q", { transactional: true });
  await queue.addMany(["left", "forgotten"].map((id) => ({ id, data: id, delay: 60_000 })));
  const rows = new CancelledRows(database, "q");
  // The process dies behind this step of a cancel of one of them, and no worker of the queue comes.
  await rows.cancel(["left", "forgotten"]);
  await rows.forget(["forgotten"]);
  const outcomes = new OutcomeTable(database, "another");
  for (let hours = 0; hours < 3; hours++) {
    await stage.pool.query("UPDATE keyline.outcome SET ended_at = ended_at - interval '61 minutes', until = until - interval '61 minutes'");
    expect(await outcomes.sweep()).toBe(false);
  }
  expect((await stage.pool.query("SELECT id FROM keyline.outcome")).rows).toEqual([{ id: "left" }]);
  expect(await rows.forgetLeftOver(60_000, 500)).toBe(1);
  expect((await stage.pool.query("SELECT id, state FROM keyline.job")).rows).toEqual([]);
  expect(await queue.add("two", { id: "left" })).toEqual({ id: "left", added: true });
});
