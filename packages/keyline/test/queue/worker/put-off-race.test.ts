import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { FailedRows } from "../../../src/postgres/job/failed-rows.ts";
import { openEither } from "../../support/either-queue.ts";
import { startProcess } from "../../support/processes.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

type Life = readonly string[];

let stage: Stage;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  const quiet = (): undefined => undefined;
  database = new Database(stage.databaseUrl, { debug: quiet, info: quiet, warn: quiet, error: quiet });
});
afterAll(async () => {
  await database.close();
  await stage.close();
});

/** A job whose attempt has failed, and whose worker died when its row said so, and before Valkey knew; its first delivery was noted behind that. */
async function putOff(name: string): Promise<{ readonly queue: Queue<Life>; readonly id: string }> {
  const settings = { valkey: stage.valkeyUrl, postgres: stage.databaseUrl, prefix: stage.prefix, queue: name, transactional: true };
  const dying = startProcess("failing-worker.ts", settings);
  await eventually("it is ready", () => dying.lines.length > 0);
  const queue = openEither<Life>(stage.keyline(), name, { transactional: true });
  const { id } = await queue.add(["die", "end"]);
  await dying.exited;
  await eventually("its delivery is noted", async () => (await count(id, "delivered_to IS NOT NULL")) === 1);
  const failure = { heldAttempts: 0, attempts: 1, heldParks: 0, error: "failed", failed: undefined, gone: [], delayMs: 6_000, tag: "tag" };
  expect(await new FailedRows(database, name).retry(id, failure)).toBe(true);
  await stage.pool.query("SELECT keyline.note_delivered_to(name, epoch, $2, NULL) FROM keyline.queue WHERE name = $1", [name, id]);
  expect(await count(id, "delivered_to IS NOT NULL AND due_at > clock_timestamp()")).toBe(1);
  return { queue, id };
}

async function count(id: string, condition: string): Promise<number | null> {
  return (await stage.pool.query(`SELECT FROM keyline.job WHERE id = $1 AND ${condition}`, [id])).rowCount;
}

test("a job that was put off runs where somebody was at its row while its old element was looked at", async () => {
  const { queue, id } = await putOff("locked");
  const client = await stage.pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT FROM keyline.job WHERE id = $1 FOR NO KEY UPDATE", [id]);
  const ran: string[] = [];
  const worker = queue.work((job) => void ran.push(job.id));
  await eventually("its time has come", async () => (await count(id, "due_at < clock_timestamp()")) === 1);
  await client.query("ROLLBACK");
  client.release();
  await eventually("it has run", () => ran.length > 0);
  expect(ran).toEqual([id]);
  await worker.stop();
}, 60_000);

test("a job that was put off runs where its time comes while its old element is looked at", async () => {
  const { queue, id } = await putOff("due");
  const client = await stage.pool.connect();
  await client.query("BEGIN");
  await client.query("LOCK TABLE keyline.job IN SHARE MODE");
  const ran: string[] = [];
  const worker = queue.work((job) => void ran.push(job.id));
  await eventually("its worker waits to write", async () => {
    const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1";
    return (await stage.pool.query(waiting, ["UPDATE keyline.job SET delivered_to = NULL%"])).rowCount === 1;
  });
  await eventually("its time has come", async () => (await count(id, "due_at < clock_timestamp()")) === 1);
  await client.query("ROLLBACK");
  client.release();
  await eventually("it has run", () => ran.length > 0);
  expect(ran).toEqual([id]);
  await worker.stop();
}, 60_000);
