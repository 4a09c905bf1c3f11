import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { EventKeeper } from "../../../src/postgres/event/event-keeper.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

beforeEach(() => void vi.useFakeTimers());

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test.each([
  ["within a minute, what was in use", null, 2],
  ["not before the hour is over, what was done", false, 1],
])("the keeper tries again %s", async (_, isUnfinished, tries) => {
  let dropped = 0;
  vi.spyOn(Database.prototype, "query").mockImplementation((statement) => {
    if (statement.name === "keyline-drop-expired-events") dropped += 1;
    return Promise.resolve([{ is_unfinished: isUnfinished }] as never);
  });
  const database: Database = Object.create(Database.prototype);
  const keeper = new EventKeeper(database, silent);
  keeper.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(dropped).toBe(1);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(dropped).toBe(tries);
  await keeper.stop();
});
