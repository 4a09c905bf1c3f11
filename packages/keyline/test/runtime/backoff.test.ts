import fc from "fast-check";
import { expect, test } from "vitest";
import { toBackoffFunction } from "../../src/runtime/backoff.ts";

const rules = fc.record({
  type: fc.constantFrom("exponential" as const, "fixed" as const),
  delay: fc.integer({ min: 0, max: 10_000_000 }),
  max: fc.integer({ min: 0, max: 10_000_000 }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});
const attempts = fc.integer({ min: 1, max: 1_000_000 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a wait is a whole number of milliseconds, at most `max`, and at least that without the share left to chance", () => {
  fc.assert(
    fc.property(rules, attempts, random, (rule, attempt, chance) => {
      const wait = toBackoffFunction(rule, () => chance)(attempt);
      const full = toBackoffFunction({ ...rule, jitter: 0 })(attempt);
      expect(Number.isInteger(wait)).toBe(true);
      expect(wait).toBeLessThanOrEqual(rule.max);
      expect(wait).toBeLessThanOrEqual(full);
      expect(wait).toBeGreaterThanOrEqual(Math.floor(full * (1 - rule.jitter)));
    }),
  );
});

test("without chance no wait is shorter than the one before, and an exponential one doubles up to `max`", () => {
  fc.assert(
    fc.property(rules, attempts, (rule, attempt) => {
      const wait = toBackoffFunction({ ...rule, jitter: 0 });
      expect(wait(attempt + 1)).toBeGreaterThanOrEqual(wait(attempt));
      const expected = rule.type === "fixed" ? rule.delay : rule.delay * 2 ** Math.min(attempt - 1, 40);
      expect(wait(attempt)).toBe(Math.min(expected, rule.max));
    }),
  );
});

test("the default grows from one second to one hour, a fifth of it left to chance", () => {
  const longest = toBackoffFunction(undefined, () => 0);
  const shortest = toBackoffFunction(undefined, () => 1);
  expect([1, 2, 3, 12, 13, 1_000].map(longest)).toEqual([1_000, 2_000, 4_000, 2_048_000, 3_600_000, 3_600_000]);
  expect([1, 13].map(shortest)).toEqual([800, 2_880_000]);
});
