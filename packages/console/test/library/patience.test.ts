import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Patience, patiently, type Store } from "../../src/library/patience.ts";

const away = new Set<Store>();
const outages = { isAway: (store: Store): boolean => away.has(store) };
const never = new Promise<never>(() => undefined);

beforeEach(() => {
  vi.useFakeTimers();
  away.clear();
});
afterEach(() => vi.useRealTimers());

/** How long it takes until a promise is settled, by the clock of the test. */
async function timeOf(promise: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  const settled = promise.then(
    () => performance.now() - startedAt,
    () => performance.now() - startedAt,
  );
  await vi.advanceTimersByTimeAsync(20_000);
  return settled;
}

test("a store that may be busy is waited for, and one that is known to be away for half a second", async () => {
  expect(await timeOf(patiently(outages, never, 4_000))).toBe(4_000);
  away.add("valkey");
  expect(await timeOf(patiently(outages, never, 4_000))).toBe(500);
  const refused = patiently(outages, never, 4_000).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(500);
  expect(await refused).toMatchObject({ refused: { status: 503, code: "STORE_AWAY", detail: expect.stringContaining("Valkey is away") } });
});

test("whoever waits when a store goes gives up when that is known", async () => {
  const waiting = timeOf(patiently(outages, never, 4_000));
  setTimeout(() => away.add("postgres"), 1_300);
  expect(await waiting).toBe(1_500);
});

test("what needs a store that is away is not asked, and all questions together take no longer than one", async () => {
  away.add("valkey");
  const patience = new Patience(outages);
  const ask = vi.fn(() => never);
  expect(await patience.for(ask, "valkey")).toBeUndefined();
  expect(ask).not.toHaveBeenCalled();
  expect(await patience.for(() => Promise.resolve("rows"), "postgres")).toBe("rows");
  away.clear();
  expect(await timeOf(Promise.all([patience.for(ask), patience.for(ask).then(() => patience.for(ask))]))).toBe(2_000);
  expect(await new Patience(outages).for(() => Promise.reject(new Error("no")))).toBeUndefined();
});
