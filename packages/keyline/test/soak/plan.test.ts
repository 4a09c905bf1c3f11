import { expect, test } from "vitest";
import { planFaults, type FaultKind, type PlannedFault } from "../../soak/plan.ts";

function first(count: number, seed: number, kinds?: readonly FaultKind[]): PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (const fault of planFaults(seed, kinds)) if (faults.push(fault) === count) break;
  return faults;
}

test("the same seed gives the same schedule, another one another, and a schedule of some kinds has no other", () => {
  expect(first(200, 1)).toEqual(first(200, 1));
  expect(first(200, 1)).not.toEqual(first(200, 2));
  expect(new Set(first(200, 3, ["kill", "flush"]).map(({ kind }) => kind))).toEqual(new Set(["kill", "flush"]));
  expect(new Set(first(1_000, 4).map(({ kind }) => kind)).size).toBe(20);
});
