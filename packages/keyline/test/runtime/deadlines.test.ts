import { expect, test } from "vitest";
import { Deadlines } from "../../src/runtime/deadlines.ts";
import { gate } from "../support/stage.ts";

test("deadlines of any lengths come in the order of their times, none of them early, and those that were called off do not come", async () => {
  const deadlines = new Deadlines();
  const came: string[] = [];
  const all = gate();
  const early: number[] = [];
  const set = (name: string, ms: number): ReturnType<Deadlines["set"]> => {
    const deadline = deadlines.set(ms, () => {
      came.push(name);
      early.push(Math.max(0, deadline.at - performance.now()));
      if (came.length === 5) all.open();
    });
    return deadline;
  };
  const gone = [set("called off", 20), set("called off, of a length of its own", 5)];
  set("third", 60);
  set("second", 30);
  set("fourth", 60);
  set("first", 0);
  set("last", 90);
  for (const deadline of gone) deadlines.clear(deadline);
  await all.opened;
  expect(came).toEqual(["first", "second", "third", "fourth", "last"]);
  expect(early).toEqual([0, 0, 0, 0, 0]);
  deadlines.close();
});

test("deadlines come in the order of their times also where the process stood still meanwhile", async () => {
  const deadlines = new Deadlines();
  const came: number[] = [];
  const all = gate();
  for (const ms of [40, 20, 30, 10]) {
    deadlines.set(ms, () => {
      came.push(ms);
      if (came.length === 4) all.open();
    });
  }
  const from = performance.now();
  while (performance.now() - from < 60);
  await all.opened;
  expect(came).toEqual([10, 20, 30, 40]);
  deadlines.close();
});

test("one that is set by another, or after all have come or were called off, comes", async () => {
  const deadlines = new Deadlines();
  const first = gate();
  const second = gate();
  deadlines.set(1, () => {
    deadlines.set(1, () => second.open());
    first.open();
  });
  await first.opened;
  await second.opened;
  // More lengths than are kept.
  for (const ms of Array.from({ length: 100 }, (_, index) => 1_000_000 + index)) deadlines.clear(deadlines.set(ms, () => undefined));
  const third = gate();
  deadlines.set(10, () => third.open());
  await third.opened;
  deadlines.close();
});

test("after a close none comes", async () => {
  const deadlines = new Deadlines();
  let came = 0;
  deadlines.set(1, () => came++);
  deadlines.close();
  const later = gate();
  setTimeout(() => later.open(), 30);
  await later.opened;
  expect(came).toBe(0);
});
