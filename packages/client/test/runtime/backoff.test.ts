import fc from "fast-check";
import { expect, test } from "vitest";
import { Backoff } from "../../src/runtime/backoff.ts";
import { surroundings } from "../../src/runtime/environment.ts";

const backoffOf = (random: () => number) => new Backoff({ ...surroundings, random });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a wait is a whole number of milliseconds below a bound that doubles from 100 ms to 20 s", () => {
  fc.assert(
    fc.property(fc.array(chance, { minLength: 1, maxLength: 60 }), (chances) => {
      let draw = 0;
      const backoff = backoffOf(() => chances[draw++] ?? 0);
      for (const [tries, share] of chances.entries()) {
        const wait = backoff.next();
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBe(Math.round(share * Math.min(20_000, 100 * 2 ** tries)));
      }
    }),
  );
});

test("after a reset the bound is 100 ms again, however many tries failed", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2_000 }), chance, (tries, share) => {
      const backoff = backoffOf(() => share);
      for (let failed = 0; failed < tries; failed++) backoff.next();
      backoff.reset();
      expect(backoff.next()).toBeLessThanOrEqual(100);
      expect(backoff.next()).toBeLessThanOrEqual(200);
    }),
  );
});

test("the bound stops at 20 s and all of the wait is left to chance", () => {
  const longest = backoffOf(() => 1);
  expect(Array.from({ length: 10 }, () => longest.next())).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000]);
  const shortest = backoffOf(() => 0);
  expect([shortest.next(), shortest.next()]).toEqual([0, 0]);
});
