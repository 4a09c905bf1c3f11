import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";
import { holdJobs, type HeldJobs } from "./held-jobs.ts";

/* Jobs that had their turn, and whose group was paused before they began, go back in front of all that are in line. */

let stage: Stage;
beforeAll(async () => void (stage = await openQuietStage()));
afterAll(() => stage.close());

/** A paused group in which all are back in line, and so many of them in front. */
async function sendBack(
  name: string,
  concurrency: number,
  ids: readonly string[],
): Promise<{ readonly queue: Queue<string>; readonly jobs: HeldJobs }> {
  const queue = stage.keyline().queue<string>(name);
  await queue.setLimits({ group: { concurrency } });
  for (let at = 0; at < ids.length; at += 200) await queue.addMany(ids.slice(at, at + 200).map((id) => ({ data: id, id, group: "g" })));
  await queue.pause({ group: "g" });
  const jobs = holdJobs(queue, 10);
  await eventually("all are back", async () => (await queue.counts()).blocked === ids.length);
  expect(jobs.began).toEqual([]);
  return { queue, jobs };
}

/** Ends what runs, one after the other, until so many have begun. */
async function endEach(jobs: HeldJobs, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await eventually("one more runs", () => jobs.began.length > index);
    jobs.end(jobs.began[index] ?? "");
  }
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `j${index}`);
}

async function leftOf(name: string): Promise<number> {
  return stage.valkey.exists(...["grouped", "lines", "line:g", "fronts"].map((key) => `${stage.prefix}:{${name}}:${key}`));
}

test("of two that went back none is overtaken by what is added behind them", async () => {
  const { queue, jobs } = await sendBack("overtaken", 2, ["A", "B", "C", "D"]);
  await queue.resume({ group: "g" });
  for (let index = 0; index < 8; index++) {
    await queue.add(`later ${index}`, { group: "g" });
    await eventually("one more runs", () => jobs.began.length > index);
    jobs.end(jobs.began[index] ?? "");
  }
  expect(jobs.began.slice(0, 2).sort()).toEqual(["A", "B"]);
  await endEach(jobs, 12);
  await eventually("nothing is left", async () => (await leftOf("overtaken")) === 0);
  await jobs.stop();
});

test("they come first where only one may run at a time by then, and the line goes on behind them", async () => {
  const { queue, jobs } = await sendBack("lowered", 2, ["A", "B", "C", "D", "E"]);
  await queue.setLimits({ group: { concurrency: 1 } });
  await queue.add("F", { id: "F", group: "g" });
  await queue.resume({ group: "g" });
  await endEach(jobs, 6);
  expect(jobs.began.slice(0, 2).sort()).toEqual(["A", "B"]);
  expect(jobs.began.slice(2)).toEqual(["C", "D", "E", "F"]);
  await eventually("nothing is left", async () => (await leftOf("lowered")) === 0);
  expect((await queue.counts()).blocked).toBe(0);
  await jobs.stop();
});

test("what went back comes before what hangs on a job that ends together with one of another group", async () => {
  const queue = stage.keyline().queue<string>("together");
  for (const id of ["A", "B", "C", "D"]) await queue.add(id, { id, group: "g" });
  // Now B has its turn as well, and C hangs on it.
  await queue.setLimits({ group: { concurrency: 2 } });
  await queue.pause({ group: "g" });
  const jobs = holdJobs(queue, 10);
  await eventually("all are back", async () => (await queue.counts()).blocked === 4);
  await queue.setLimits({ group: { concurrency: 1 } });
  for (const id of ["x", "y"]) await queue.add(id, { id, group: "h" });
  await queue.resume({ group: "g" });
  await eventually("one of each runs", () => jobs.began.length === 2);
  const [first, second] = jobs.began.includes("A") ? ["A", "B"] : ["B", "A"];
  // In one step.
  for (const data of [first, "x"]) jobs.end(data);
  await eventually("the next of each runs", () => jobs.began.length === 4);
  expect(jobs.began.slice(2).sort()).toEqual([second, "y"]);
  jobs.end("y");
  for (const data of [second, "C", "D"]) {
    await eventually(`${data} runs`, () => jobs.began.includes(data));
    jobs.end(data);
  }
  await eventually("nothing is left", async () => (await leftOf("together")) === 0);
  await jobs.stop();
});

test.each([
  { concurrency: 3, count: 90 },
  { concurrency: 40, count: 400 },
])("a line of $count of which $concurrency went back is listed, counted and cancelled whole", async ({ concurrency, count }) => {
  const name = `whole-${concurrency}`;
  const { queue, jobs } = await sendBack(name, concurrency, names(count));
  for await (const { waiting } of queue.groups()) expect(waiting).toBe(count);
  const seen: string[] = [];
  for await (const { id } of queue.jobs({ state: "blocked", group: "g" })) seen.push(id);
  expect(seen).toHaveLength(count);
  expect(new Set(seen)).toEqual(new Set(names(count)));
  expect(await queue.cancel({ group: "g" })).toBe(count);
  expect((await queue.counts()).blocked).toBe(0);
  await queue.resume({ group: "g" });
  expect(await leftOf(name)).toBe(0);
  await jobs.stop();
});

test("of a paused group whose only job in line was cancelled, and then the one that went back, nothing is left", async () => {
  const { queue, jobs } = await sendBack("both", 1, ["A", "B"]);
  expect(await queue.cancel("B")).toBe("waiting");
  expect(await queue.cancel("A")).toBe("waiting");
  expect((await queue.counts()).blocked).toBe(0);
  await queue.resume({ group: "g" });
  expect(await leftOf("both")).toBe(0);
  await jobs.stop();
});

/* Versions before wrote lines otherwise: by number and group. What they left goes on. */
test.each([
  { kind: "plain", admitted: "", running: [] },
  { kind: "plain", admitted: "a 1700000000000", running: ["a"] },
  { kind: "transactional", admitted: "", running: [] },
])(
  "a line of a $kind queue as it was written once goes on in its order, with $running.length that have their turn",
  async ({ kind, admitted, running }) => {
    const name = `written-${kind}-${running.length}`;
    const key = (part: string): string => `${stage.prefix}:{${name}}:${part}`;
    const keyline = stage.keyline();
    if (kind === "transactional") await keyline.migrate();
    const queue = keyline.queue<string>(name, kind === "transactional" ? ({ transactional: true } as object) : {});
    const element = (id: string): string => JSON.stringify({ id, at: Date.now(), group: "g", data: id });
    const line = ["b", "c", "d"];
    if (kind === "transactional") {
      // Their rows, as they were added.
      await queue.addMany(line.map((id) => ({ data: id, id, group: "g" })));
      await eventually("they are there", async () => (await queue.counts()).blocked === 2);
      await stage.valkey.del(key("grouped"), key("lines"), key("line:g"), key("waiting"), key("order"), key("blocked"));
    }
    for (const id of running) await stage.valkey.lpush(key("waiting"), element(id));
    await stage.valkey.hset(key("grouped"), "g", `-1 1|${admitted}`);
    for (const [index, id] of line.entries()) await stage.valkey.hset(key("lines"), `${index - 1} g`, element(id));
    await stage.valkey.set(key("blocked"), line.length);
    await queue.add("e", { id: "e", group: "g" });
    const jobs = holdJobs(queue, 5);
    // That of a group in which nobody has his turn was paused.
    await queue.pause({ group: "g" });
    await queue.resume({ group: "g" });
    const all = [...running, ...line, "e"];
    await endEach(jobs, all.length);
    expect(jobs.began).toEqual(all);
    await eventually("nothing is left", async () => (await leftOf(name)) === 0);
    expect((await queue.counts()).blocked).toBe(0);
    await jobs.stop();
  },
);
