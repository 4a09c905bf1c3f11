import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => void (stage = await openStage()));
afterAll(() => stage.close());

interface Step {
  readonly group?: string;
  readonly n: number;
}

// What ends together is told by places in one command: which of it has a group, and which is not held any more.
test.each([
  { of: "groups alone", isMixed: false },
  { of: "jobs with and without a group", isMixed: true },
])("of $of that end together, what its worker does not hold any more lets nobody in", async ({ isMixed }) => {
  const name = `together-${isMixed}`;
  const queue = stage.keyline().queue<Step>(name);
  const groups = ["a", "b", "c", "d"];
  const add = (n: number, group?: string): Promise<unknown> =>
    queue.add({ n, ...(group !== undefined && { group }) }, group === undefined ? {} : { group });
  await add(0, "oldest");
  for (const group of groups) {
    if (isMixed) await add(0);
    await add(0, group);
  }
  for (const group of groups) for (const n of [1, 2]) await add(n, group);
  const waits = Promise.withResolvers<void>();
  const oldest = Promise.withResolvers<void>();
  const began: string[] = [];
  const worker = queue.work(
    async ({ data: { group, n } }) => {
      began.push(`${group}${n}`);
      // The oldest one goes on, so that the others are not the ones held longest.
      await (group === "oldest" ? oldest : waits).promise;
    },
    { concurrency: 20 },
  );
  const first = isMixed ? 9 : 5;
  await eventually("the first ones run", () => began.length === first);
  const [held = ""] = await stage.valkey.keys(`${stage.prefix}:{${name}}:held:*`);
  const ofB = (await stage.valkey.lrange(held, 0, -1)).find((element) => element.includes('"group":"b"'));
  expect(await stage.valkey.lrem(held, 1, ofB ?? "")).toBe(1);
  waits.resolve();
  await eventually("all that may has run", () => began.length === first + 6);
  expect(began.filter((step) => step.startsWith("b"))).toEqual(["b0"]);
  for (const group of ["a", "c", "d"]) expect(began.filter((step) => step.startsWith(group))).toEqual([0, 1, 2].map((n) => `${group}${n}`));
  // It comes back, as from a worker that died: now it is its group's turn.
  await stage.valkey.lpush(`${stage.prefix}:{${name}}:waiting`, ofB ?? "");
  await eventually("the group goes on", () => began.length === first + 9);
  expect(began.filter((step) => step.startsWith("b"))).toEqual(["b0", "b0", "b1", "b2"]);
  oldest.resolve();
  await eventually("nothing is left", async () => {
    const { waiting, running, blocked } = await queue.counts();
    return waiting + running + blocked === 0;
  });
  expect(await stage.valkey.exists(`${stage.prefix}:{${name}}:grouped`)).toBe(0);
  await worker.stop();
});

test("a job that was delivered twice and ends twice at once lets one in", async () => {
  const queue = stage.keyline().queue<Step>("twice-at-once");
  const groups = ["a", "b", "c"];
  for (const n of [0, 1, 2]) for (const group of groups) await queue.add({ n, group }, { group });
  const waiting = `${stage.prefix}:{twice-at-once}:waiting`;
  const ofB = (await stage.valkey.lrange(waiting, 0, -1)).find((element) => element.includes('"group":"b"'));
  await stage.valkey.lpush(waiting, ofB ?? "");
  const began: string[] = [];
  const ends = new Map([0, 1, 2].map((n) => [n, Promise.withResolvers<void>()]));
  const worker = queue.work(
    async ({ data: { group, n } }) => {
      began.push(`${group}${n}`);
      await ends.get(n)?.promise;
    },
    { concurrency: 20 },
  );
  await eventually("the first ones run", () => began.length === 4);
  ends.get(0)?.resolve();
  await eventually("the second ones run", () => began.length === 7);
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 3, blocked: 3 });
  expect(began.slice(4).toSorted()).toEqual(["a1", "b1", "c1"]);
  for (const { resolve } of ends.values()) resolve();
  await eventually("all have run", () => began.length === 10);
  expect(began.toSorted()).toEqual(["a0", "a1", "a2", "b0", "b0", "b1", "b2", "c0", "c1", "c2"]);
  await worker.stop();
});
