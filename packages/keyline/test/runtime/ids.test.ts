import { afterEach, expect, test, vi } from "vitest";
import { newId } from "../../src/runtime/ids.ts";

afterEach(() => void vi.useRealTimers());

test("ids differ and sort in the order in which they were made, also when there are many of one moment or the clock steps back", () => {
  vi.useFakeTimers({ now: Date.now() + 1_000 });
  const ids = Array.from({ length: 100_000 }, newId);
  vi.setSystemTime(Date.now() - 60_000);
  ids.push(...Array.from({ length: 100_000 }, newId));
  expect(new Set(ids).size).toBe(200_000);
  expect(ids).toEqual(ids.toSorted());
});
