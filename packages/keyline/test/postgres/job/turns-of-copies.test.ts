import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { changesOf, PlacedRows } from "../../../src/postgres/job/placed-rows.ts";
import { silentLogger as logger } from "../../../src/runtime/logger.ts";
import { openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  database = new Database(stage.databaseUrl, logger);
});
afterAll(async () => {
  await database.close();
  await stage.close();
});

// Some of these names have a key below zero, or a half of one whose first bit is set.
test.each(["orders", "mails", "a", "b", "c", "d", "e", "f"])(
  "a transaction that changes jobs of queue %s is heard of, and another worker that asks is not taken for one",
  async (queue) => {
    const rows = new PlacedRows(database, queue);
    await stage.pool.query("INSERT INTO keyline.job (queue, id, data) VALUES ($1, $2, '1')", [queue, `job of ${queue}`]);
    const ask = async (): Promise<unknown> => (await rows.findTurns([`job of ${queue}`], { areCopies: true }))[0]?.is_changing;
    expect(await ask()).toBe(false);
    const client = await stage.pool.connect();
    for (const [lock, isChanging] of [
      ["pg_advisory_xact_lock_shared", true],
      ["pg_advisory_xact_lock", false],
    ] as const) {
      await client.query("BEGIN");
      await client.query(`SELECT ${lock}(${changesOf("$1")})`, [queue]);
      expect(await ask()).toBe(isChanging);
      await client.query("ROLLBACK");
    }
    client.release();
    expect(await ask()).toBe(false);
  },
);
