import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { holdJobs } from "./held-jobs.ts";

let stage: Stage;
beforeAll(async () => void (stage = await openStage()));
afterAll(() => stage.close());

async function lengths(queue: Queue<string>): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for await (const { name, waiting } of queue.groups()) found[name] = waiting;
  return found;
}

async function listed(queue: Queue<string>, group: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of queue.jobs({ state: "blocked", group })) ids.push(id);
  return ids;
}

async function isEmpty(queue: Queue<string>): Promise<boolean> {
  const keys = ["grouped", "lines", "line:g", "line:h"].map((key) => `${stage.prefix}:{${queue.name}}:${key}`);
  return (await stage.valkey.exists(...keys)) === 0 && (await queue.counts()).blocked === 0;
}

test.each([
  { of: "first", before: [] },
  { of: "last", before: ["z"] },
])("an id that was cancelled where it was the $of in line is used again, and cancelled again", async ({ of, before }) => {
  const queue = stage.keyline().queue<string>(`again-${of}`);
  await queue.add("r", { id: "r", group: "g" });
  const jobs = holdJobs(queue);
  await eventually("r runs", () => jobs.began.length === 1);
  for (const id of before) await queue.add(id, { id, group: "g" });
  for (let round = 0; round < 3; round++) {
    await queue.add("b", { id: "b", group: "g" });
    expect(await queue.cancel("b")).toBe("waiting");
  }
  const behind = ["c", "b", "d"];
  for (const id of behind) await queue.add(id, { id, group: "g" });
  expect((await listed(queue, "g")).sort()).toEqual([...before, ...behind].sort());
  expect(await lengths(queue)).toEqual({ g: before.length + behind.length });
  for (const id of ["r", ...before, ...behind]) {
    await eventually(`${id} runs`, () => jobs.began.at(-1) === id);
    jobs.end(id);
  }
  await eventually("nothing is left", () => isEmpty(queue));
  await jobs.stop();
});

test("an id that was cancelled in the line of one group is used again in another one", async () => {
  const queue = stage.keyline().queue<string>("elsewhere");
  const jobs = holdJobs(queue);
  for (const id of ["A", "B", "D", "F", "G"]) await queue.add(id, { id, group: "g" });
  await eventually("A runs", () => jobs.began.length === 1);
  for (const id of ["D", "F"]) expect(await queue.cancel(id)).toBe("waiting");
  for (const id of ["D", "X"]) await queue.add(id, { id, group: "h" });
  await eventually("D runs", () => jobs.began.includes("D"));
  expect(await lengths(queue)).toEqual({ g: 2, h: 1 });
  for (const [ends, begins] of [["D", "X"], ["X"], ["A", "B"], ["B", "G"], ["G"]] as const) {
    jobs.end(ends);
    if (begins !== undefined) await eventually(`${begins} runs`, () => jobs.began.at(-1) === begins);
  }
  await eventually("nothing is left", () => isEmpty(queue));
  await jobs.stop();
});

test("where two of a group may run at a time, what was cancelled in another one with its id is not in the way", async () => {
  const queue = stage.keyline().queue<string>("beside");
  await queue.setLimits({ group: { concurrency: 2 } });
  const jobs = holdJobs(queue);
  for (const id of ["A", "A2", "B", "D", "F", "G"]) await queue.add(id, { id, group: "g" });
  await eventually("two run", () => jobs.began.length === 2);
  for (const id of ["D", "F"]) await queue.cancel(id);
  for (const id of ["D", "X"]) await queue.add(id, { id, group: "h" });
  await eventually("both of h run", () => jobs.began.includes("D") && jobs.began.includes("X"));
  for (const id of ["A", "A2"]) jobs.end(id);
  await eventually("the others run", () => jobs.began.length === 6);
  expect([...jobs.began].sort()).toEqual(["A", "A2", "B", "D", "G", "X"]);
  await jobs.stop();
});

test("of a paused group with many that were cancelled in its middle the others are listed, counted and cancelled", async () => {
  const queue = stage.keyline().queue<string>("middle");
  await queue.pause({ group: "g" });
  const ids = Array.from({ length: 900 }, (_, index) => `j${index}`);
  await queue.addMany(ids.map((id) => ({ data: id, id, group: "g" })));
  await queue.cancel({ ids: ids.slice(2, 890) });
  const left = [...ids.slice(0, 2), ...ids.slice(890)];
  expect(await lengths(queue)).toEqual({ g: left.length });
  expect(await listed(queue, "g")).toEqual(left);
  // The first of them last.
  expect(await queue.cancel({ ids: left.slice(1) })).toBe(left.length - 1);
  expect(await queue.cancel("j0")).toBe("waiting");
  expect(await isEmpty(queue)).toBe(true);
});

test("a debounce finds the job whose data it replaces also where others have gone back in front of that", async () => {
  const queue = stage.keyline().queue<string>("debounced");
  for (const id of ["a", "b", "c"]) await queue.add(id, { id, group: "g" });
  await queue.setLimits({ group: { concurrency: 3 } });
  await queue.setLimits({ group: { concurrency: 1 } });
  const add = (data: string): Promise<{ readonly id: string; readonly added: boolean }> =>
    queue.add(data, { group: "g", deduplicate: { key: "k", keep: "latest", window: 3_600_000 } });
  const { id } = await add("first");
  await queue.pause({ group: "g" });
  const jobs = holdJobs(queue);
  await eventually("all are back in line", async () => (await queue.counts()).blocked === 4);
  expect(await add("second")).toMatchObject({ id, added: false });
  expect((await queue.job(id))?.data).toBe("second");
  await jobs.stop();
});

test("jobs of a group that are added in one turn keep their order where the server has forgotten its scripts", async () => {
  const queue = stage.keyline().queue<string>("forgotten");
  await queue.add("0", { group: "g" });
  await stage.valkey.script("FLUSH");
  await Promise.all([
    queue.add("1", { group: "g" }),
    queue.add("2", { group: "g", id: "two" }),
    queue.add("3", { group: "g" }),
    queue.add("4", { group: "g", priority: "high" }),
  ]);
  const jobs = holdJobs(queue);
  for (const data of ["0", "1", "2", "3", "4"]) {
    await eventually(`${data} runs`, () => jobs.began.at(-1) === data);
    jobs.end(data);
  }
  await jobs.stop();
  expect(jobs.began).toEqual(["0", "1", "2", "3", "4"]);
});

test("the first of a group goes by its priority, also among others that are added with it", async () => {
  const queue = stage.keyline().queue<string>("first-high");
  await queue.addMany([
    { data: "x" },
    ...["a", "b", "c"].map((data) => ({ data, group: data })),
    { data: "d", group: "d", priority: "high" as const },
    { data: "d 2", group: "d" },
  ]);
  const jobs = holdJobs(queue, 1);
  for (let index = 0; index < 6; index++) {
    await eventually("one more runs", () => jobs.began.length > index);
    jobs.end(jobs.began[index] ?? "");
  }
  await jobs.stop();
  expect(jobs.began[0]).toBe("d");
  expect(jobs.began.indexOf("d 2")).toBeGreaterThan(0);
});
