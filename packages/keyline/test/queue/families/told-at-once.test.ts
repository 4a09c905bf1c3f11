import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { FamilyTable } from "../../../src/postgres/job/family-table.ts";
import { FamilyCarrier } from "../../../src/queue/families/family-carrier.ts";
import { FamilyReleaser } from "../../../src/queue/families/family-releaser.ts";
import { silentLogger as logger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
import { openStage, type Stage } from "../../support/stage.ts";

// Whatever comes while a round ends is in the next one. Of two answers that arrive together the one may end the round, and the other begin it: a turn of the event loop has many moments.

const moments = Array.from({ length: 16 }, (_, moment) => moment);

let stage: Stage;
let connection: ValkeyConnection;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 5_000 });
  await connection.ensureReady(5_000);
  database = new Database(stage.databaseUrl, logger);
});
afterAll(async () => {
  connection.close();
  await database.close();
  await stage.close();
});

async function after(count: number): Promise<void> {
  for (let moment = 0; moment < count; moment++) await Promise.resolve();
}

test.each(moments)("a child that ends %i moments after a parent was told is told of too", async (moment) => {
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, `told-${moment}`));
  const told: string[] = [];
  const end = (number: string): void => carrier.note({ batch: "b", queue: "parents", family: "f", number, outcome: "{}" });
  const tell = store.families.told.bind(store.families);
  store.families.told = async (ends) => {
    await tell(ends);
    const isFirst = told.length === 0;
    told.push(...ends.flatMap(({ numbers }) => numbers));
    if (isFirst) void after(moment).then(() => end("2"));
  };
  const carrier = new FamilyCarrier(`told-${moment}`, { storeOf: () => store, logger });
  end("1");
  await carrier.settled();
  await after(100);
  await carrier.settled();
  expect(told).toEqual(["1", "2"]);
});

test.each(moments)("a child that ends %i moments after a parent was asked for has it asked for again", async (moment) => {
  const table = new FamilyTable(database);
  const asked: string[] = [];
  const release = table.parents.release.bind(table.parents);
  table.parents.release = async (queue, ids) => {
    const released = await release(queue, ids);
    const isFirst = asked.length === 0;
    asked.push(...ids);
    if (isFirst) void after(moment).then(() => releaser.noteEnded("children", "2"));
    return released;
  };
  const releaser = new FamilyReleaser({ table, find: () => undefined, tellRows: () => Promise.resolve(), logger });
  releaser.noteEnded("children", "1");
  await releaser.settled();
  await after(100);
  await releaser.settled();
  expect(asked).toEqual(["1", "2"]);
  await releaser.stop();
});
