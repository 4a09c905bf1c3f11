import { expect, test } from "vitest";
import { silentLogger } from "../../src/runtime/logger.ts";
import { Doubt } from "../../src/work/doubt.ts";

const doubtOf = (): Doubt<string, "take"> =>
  new Doubt<string, "take">(
    { role: "worker", unit: "a job", place: "nowhere", fields: {}, idOf: (id) => id, nameOf: (id) => `job ${id}` },
    silentLogger,
  );

test("is raised when two renewals in a row show more than is known", () => {
  const doubt = doubtOf();
  for (const held of [2, 1, 2]) {
    doubt.compare(held, 1);
    expect(doubt.isDue).toBe(false);
  }
  doubt.compare(2, 1);
  expect(doubt.isDue).toBe(true);
});

test("is resolved by the first reading that works", async () => {
  const doubt = doubtOf();
  let tries = 0;
  const read = async (): Promise<string[]> => {
    if (++tries < 3) throw new Error("away");
    return ["found"];
  };
  expect(await doubt.resolve(read)).toEqual(["found"]);
  expect(doubt.isResolving).toBe(false);
});

test("what was read of a lease that is over is nobody's", async () => {
  const doubt = doubtOf();
  const reading = doubt.resolve(async () => ["old"]);
  doubt.reset();
  expect(await reading).toBeUndefined();
});

test("hands in again what was refused, and forgets it with the lease", async () => {
  const doubt = doubtOf();
  await new Promise<void>((resolve) => doubt.postpone("1", new Error("full"), resolve));
  expect(doubt.hasPostponed).toBe(false);
  doubt.postpone("2", new Error("full"), () => expect.unreachable());
  expect(doubt.hasPostponed).toBe(true);
  doubt.reset();
  expect(doubt.hasPostponed).toBe(false);
});
