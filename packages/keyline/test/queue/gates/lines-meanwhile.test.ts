import { setTimeout as sleep } from "node:timers/promises";
import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";
import { holdJobs } from "./held-jobs.ts";

/* What is in line is found by whoever looks for it, whatever becomes of its line meanwhile. */

let stage: Stage;
beforeAll(async () => void (stage = await openQuietStage()));
afterAll(() => stage.close());

const ids = Array.from({ length: 200 }, (_, index) => `i${index}`);

async function addEach(queue: Queue<string>, added: readonly string[], group: string): Promise<void> {
  await queue.addMany(added.map((id) => ({ data: id, id, group })));
}

test("a cancel does not miss the first in line where the one before it ends and its group is paused", async () => {
  const queue = stage.keyline().queue<string>("first");
  const groups = Array.from({ length: 200 }, (_, index) => String(index));
  for (const group of groups) await addEach(queue, [`a${group}`, `b${group}`, `c${group}`], group);
  const jobs = holdJobs(queue, groups.length);
  await eventually("one of each runs", () => jobs.began.length === groups.length);
  const missed: string[] = [];
  for (const group of groups) {
    await queue.pause({ group });
    const end = async (): Promise<void> => {
      await sleep(Math.random() * 4);
      jobs.end(`a${group}`);
    };
    const [was] = await Promise.all([queue.cancel(`b${group}`), end()]);
    if (was !== "waiting") missed.push(`b${group} ${was}`);
    await queue.resume({ group });
  }
  await jobs.stop();
  expect(missed).toEqual([]);
  expect(jobs.began.filter((data) => data.startsWith("b"))).toEqual([]);
});

const finders = {
  cancel: async (queue: Queue<string>, id: string) => (await queue.cancel(id)) === "waiting",
  update: async (queue: Queue<string>, id: string) => (await queue.update(id, { data: `new ${id}` })).updated,
  job: async (queue: Queue<string>, id: string) => (await queue.job(id)) !== undefined,
  jobs: async (queue: Queue<string>, id: string) => {
    for await (const job of queue.jobs({ state: "blocked" })) if (job.id === id) return true;
    return false;
  },
};

test.each(["cancel", "update", "job", "jobs"] as const)(
  "%s does not miss the second in line where two may run at a time and one of them ends",
  async (act) => {
    const queue = stage.keyline().queue<string>(`second-${act}`);
    await queue.setLimits({ group: { concurrency: 2 } });
    const groups = Array.from({ length: 60 }, (_, index) => String(index));
    for (const group of groups) await addEach(queue, [`a${group}`, `b${group}`, `c${group}`, `d${group}`], group);
    const jobs = holdJobs(queue, 3 * groups.length);
    await eventually("two of each run", () => jobs.began.length === 2 * groups.length);
    const missed: string[] = [];
    for (const group of groups) {
      const end = async (): Promise<void> => {
        await sleep(Math.random() * (act === "jobs" ? 20 : 6));
        jobs.end(`a${group}`);
      };
      const [isFound] = await Promise.all([finders[act](queue, `d${group}`), end()]);
      if (!isFound) missed.push(`d${group}`);
    }
    await jobs.stop();
    expect(missed).toEqual([]);
  },
);

test("a listing shows none twice that goes on where all that it has shown last were cancelled", async () => {
  const queue = stage.keyline().queue<string>("around");
  await queue.pause({ group: "g" });
  await addEach(queue, ids, "g");
  const seen: string[] = [];
  const page = queue.jobs({ state: "blocked", group: "g", limit: 21 });
  for await (const { id } of page) seen.push(id);
  const cancelled = ids.slice(14, 23);
  for (const id of cancelled.toReversed()) await queue.cancel(id);
  for await (const { id } of queue.jobs({ state: "blocked", group: "g", cursor: page.cursor as string })) seen.push(id);
  expect(seen).toEqual([...ids.slice(0, 21), ...ids.slice(23)]);
});

test("a listing goes on behind one whose id has ended and was used again", async () => {
  const queue = stage.keyline().queue<string>("again");
  await addEach(queue, ids, "g");
  const jobs = holdJobs(queue);
  await eventually("the first one runs", () => jobs.began.length === 1);
  const seen: string[] = [];
  const page = queue.jobs({ state: "blocked", group: "g", limit: 3 });
  for await (const { id } of page) seen.push(id);
  expect(seen).toEqual(["i1", "i2", "i3"]);
  for (const id of ids.slice(0, 4)) {
    await eventually(`${id} runs`, () => jobs.began.at(-1) === id);
    jobs.end(id);
  }
  await eventually("i4 runs", () => jobs.began.at(-1) === "i4");
  for (const id of ["i3", "last"]) await queue.add(id, { id, group: "g" });
  for await (const { id } of queue.jobs({ state: "blocked", group: "g", cursor: page.cursor as string })) seen.push(id);
  await jobs.stop();
  // i4 runs, and i3 is there a second time.
  expect(seen).toEqual([...ids.slice(1, 4), ...ids.slice(5), "i3", "last"]);
});

test("a cancel of a group cancels all that were there, also where their ids are used again meanwhile", async () => {
  const queue = stage.keyline().queue<string>("refilled");
  await queue.pause({ group: "g" });
  await addEach(queue, ids, "g");
  await sleep(5);
  const before = new Date();
  await sleep(5);
  let isRefilled = false;
  const count = await queue.cancel({
    group: "g",
    before,
    onProgress: async ({ done }) => {
      if (isRefilled || done === 0) return;
      isRefilled = true;
      for (const id of ids.slice(0, done)) await queue.add(`${id} again`, { id, group: "g" });
    },
  });
  expect(isRefilled).toBe(true);
  expect(count).toBe(ids.length);
  const left: string[] = [];
  for await (const { data = "" } of queue.jobs({ state: "blocked", group: "g" })) left.push(data);
  expect(left.length).toBeGreaterThan(0);
  expect(left.filter((data) => !data.endsWith("again"))).toEqual([]);
});
