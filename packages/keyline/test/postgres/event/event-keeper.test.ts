import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Database as DatabaseType } from "../../../src/postgres/client/database.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

// The library takes the clock's functions when it is loaded: it is loaded anew under this clock, and after it.
beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.resetModules();
});

test.each([
  ["within a minute, what was in use", null, 2],
  ["not before the hour is over, what was done", false, 1],
])("the keeper tries again %s", async (_, isUnfinished, tries) => {
  const { Database } = await import("../../../src/postgres/client/database.ts");
  const { EventKeeper } = await import("../../../src/postgres/event/event-keeper.ts");
  let dropped = 0;
  vi.spyOn(Database.prototype, "query").mockImplementation((statement) => {
    if (statement.name === "keyline-drop-expired-events") dropped += 1;
    return Promise.resolve([{ is_unfinished: isUnfinished }] as never);
  });
  const database: DatabaseType = Object.create(Database.prototype);
  const keeper = new EventKeeper(database, silent);
  keeper.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(dropped).toBe(1);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(dropped).toBe(tries);
  await keeper.stop();
});
