import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { DeadTable } from "../../../src/postgres/job/dead-table.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const rules = { transactional: true, maxAttempts: 1 } as const;

test("the note of a delivery that comes after the job has died and was redriven does not pass for one of the redriven job", async () => {
  const [producing, working] = [stage.keyline(), stage.keyline()].map((keyline) => keyline.queue<number>("late-note", rules));
  if (!producing || !working) throw new Error("there are two");
  await working.add(0);
  const noted = async (): Promise<boolean> =>
    (await stage.pool.query("SELECT FROM keyline.job WHERE delivered_to IS NOT NULL")).rows.length === 1;
  await eventually("the queue has its epoch", noted);
  let isFixed = false;
  let ran = 0;
  const worker = working.work(() => {
    if (!isFixed) throw new Error("not yet");
    ran++;
  });
  await eventually("the first one is dead", async () => (await working.counts()).dead === 1);
  const holder = await stage.pool.connect();
  await holder.query("BEGIN");
  await holder.query("SELECT FROM keyline.queue WHERE name = $1 FOR UPDATE", [working.name]);
  const { id } = await producing.add(1);
  await eventually("it is dead", async () => (await working.counts()).dead === 2);
  const noting =
    "SELECT FROM pg_stat_activity WHERE query LIKE '%note_delivered%' AND wait_event_type = 'Lock' AND datname = current_database()";
  await eventually("its delivery is about to be noted", async () => (await stage.pool.query(noting)).rows.length === 1);
  isFixed = true;
  // As a process that redrives it, and dies before it has pushed it.
  const database = new Database(stage.databaseUrl, silentLogger);
  const table = new DeadTable(database, working.name);
  const redriven = await table.redrive(await table.of([id]));
  expect(redriven.rows).toHaveLength(1);
  await database.close();
  await holder.query("COMMIT");
  holder.release();
  await eventually("the relay has brought it", () => ran === 1);
  expect(ran).toBe(1);
  await worker.stop();
});

test("what was redriven and pushed is noted as delivered, once more each time", async () => {
  const queue = stage.keyline().queue<number>("noted", rules);
  await queue.addMany([1, 2, 3].map((data) => ({ data })));
  for (let round = 0; round < 2; round++) {
    const worker = queue.work(() => {
      throw new Error("not yet");
    });
    await eventually("all are dead", async () => (await queue.counts()).dead === 3);
    await worker.stop();
    expect(await queue.redrive({ all: true })).toBe(3);
    const notes = "SELECT FROM keyline.job WHERE queue = $1 AND state = 'waiting' AND delivered_to IS NOT NULL";
    await eventually("all are noted", async () => (await stage.pool.query(notes, [queue.name])).rows.length === 3);
    expect((await queue.counts()).waiting).toBe(3);
  }
});
