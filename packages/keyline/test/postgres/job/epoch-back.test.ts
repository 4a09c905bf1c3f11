import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { JobTable } from "../../../src/postgres/job/job-table.ts";
import { QueueCounts } from "../../../src/runtime/counters.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

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

test("an epoch is put in charge only in the place of that which was in charge when it was read", async () => {
  const table = new JobTable(database, "late", new QueueCounts());
  expect(await table.charge.take("first", undefined)).toBe(true);
  const client = await stage.pool.connect();
  await table.charge.noteRebuilt(client, "first");
  client.release();
  expect(await table.charge.read()).toEqual({ epoch: "first", rebuilt_epoch: "first", checked_epoch: "first" });
  expect(await table.charge.take("second", "first")).toBe(true);
  expect(await table.charge.take("first", undefined)).toBe(false);
  expect(await table.charge.take("third", "first")).toBe(false);
  expect(await table.charge.read()).toEqual({ epoch: "second", rebuilt_epoch: "", checked_epoch: "first" });
});

test("an epoch that is put in charge again is rebuilt again, with what was noted meanwhile", async () => {
  const table = new JobTable(database, "cut-off", new QueueCounts());
  const queue = stage.keyline().queue<string>("cut-off", { transactional: true });
  const { id } = await queue.add("first");
  await eventually("it is delivered, and that is noted", async () => {
    const noted =
      "SELECT FROM keyline.job JOIN keyline.queue ON name = queue WHERE id = $1 AND delivered_to = epoch AND rebuilt_epoch = epoch";
    return (await stage.pool.query(noted, [id])).rowCount === 1;
  });
  const present = (await table.charge.read())?.epoch;
  // As a process does it that is cut off with an old server, which has then lost what it was given.
  await stage.pool.query("UPDATE keyline.queue SET epoch = 'an-older-one' WHERE name = 'cut-off'");
  await stage.pool.query("UPDATE keyline.job SET delivered_to = 'an-older-one' WHERE id = $1", [id]);
  await stage.valkey.del(`${stage.prefix}:{cut-off}:waiting`);
  await queue.add("second");
  await eventually("it is in charge again", async () => {
    const charge = await table.charge.read();
    return charge?.epoch === present && charge?.rebuilt_epoch === present;
  });
  const ran = new Set<string>();
  const worker = queue.work(({ data }) => void ran.add(data));
  await eventually("both have run", () => ran.size === 2);
  await worker.stop();
}, 60_000);
