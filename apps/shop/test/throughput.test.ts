import { expect, test } from "vitest";
import { Throughput } from "../server/throughput.ts";

test("is the number of processed orders over the time between the first and the last sample of two seconds", () => {
  const throughput = new Throughput();
  expect(throughput.measure({ at: 0, processed: 100 })).toBe(0);
  expect(throughput.measure({ at: 1_000, processed: 150 })).toBe(50);
  expect(throughput.measure({ at: 2_000, processed: 300 })).toBe(100);
  expect(throughput.measure({ at: 3_000, processed: 300 })).toBe(75);
});

test("begins anew after nobody has looked for a while", () => {
  const throughput = new Throughput();
  throughput.measure({ at: 0, processed: 0 });
  expect(throughput.measure({ at: 60_000, processed: 5_000 })).toBe(0);
});

test("begins anew when orders were deleted", () => {
  const throughput = new Throughput();
  throughput.measure({ at: 0, processed: 500 });
  expect(throughput.measure({ at: 1_000, processed: 10 })).toBe(0);
});
