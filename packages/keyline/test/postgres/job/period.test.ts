import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { JobTable } from "../../../src/postgres/job/job-table.ts";
import { UpdatedRows } from "../../../src/postgres/job/updated-rows.ts";
import { QueueCounts } from "../../../src/runtime/counters.ts";
import { openStage, type Stage } from "../../support/stage.ts";

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

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

// Who begins many has looked at all rows before it has the last one's lock.
test("a period in which an attempt begins ends with that, whoever opens one at the same moment", async () => {
  const table = new JobTable(database, "q", new QueueCounts());
  const rows = new UpdatedRows(database, "q");
  const ids = Array.from({ length: 500 }, (_, index) => `j${index}`);
  await table.insert(ids.map((id) => ({ id, dataJson: "1", maxAttempts: undefined })));
  for (let round = 0; round < 40; round++) {
    // Those of the last locks are opened first.
    const opened = Promise.all(ids.toReversed().map((id) => rows.hold(id)));
    const begun = (await Promise.all([table.once.beginLatest(ids), table.once.beginLatest(ids)])).flat();
    await opened;
    const { rows: after } = await stage.pool.query<{ id: string; period: number; is_latest: boolean }>(
      "SELECT id, period, is_latest FROM keyline.job WHERE queue = 'q'",
    );
    const open = new Map(after.flatMap(({ id, period, is_latest: isOpen }) => (isOpen ? [[id, period] as const] : [])));
    expect(begun.filter(({ id, period }) => open.get(id) === period)).toEqual([]);
    await table.once.beginLatest(ids);
  }
}, 60_000);
