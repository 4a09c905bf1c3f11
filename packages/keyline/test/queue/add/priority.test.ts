import type { Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])("priority (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string): Queue<string> =>
    stage.keyline().queue<string>(`${name}-${transactional}`, { transactional } as { transactional: false });

  test("decides which of those that wait goes first, in the order of adding within one priority", async () => {
    const queue = open("first");
    await queue.addMany([
      { data: "n1" },
      { data: "l1", priority: "low" },
      { data: "h1", priority: "high" },
      { data: "n2", priority: "normal" },
      { data: "l2", priority: "low" },
      { data: "h2", priority: "high" },
    ]);
    await eventually("all wait", async () => (await queue.counts()).waiting === 6);
    const ran: string[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("all have run", () => ran.length === 6);
    expect(ran).toEqual(["h1", "h2", "n1", "n2", "l1", "l2"]);
    await worker.stop();
  });

  test("is heard of by workers that wait, also when it is the first of its queue", async () => {
    const queue = open("heard");
    const ran: string[] = [];
    const workers = [1, 2, 3].map(() => queue.work(({ data }) => void ran.push(data), { concurrency: 2 }));
    for (const priority of ["high", "low", "high", "low"] as const) {
      await queue.addMany(Array.from({ length: 10 }, (_, index) => ({ data: `${priority}${index}`, priority })));
    }
    await eventually("all have run", () => ran.length === 40);
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  test("leaves those of low priority their turn while others keep coming", async () => {
    const queue = open("fair");
    await queue.addMany(Array.from({ length: 200 }, (_, index) => ({ data: `h${index}`, priority: "high" })));
    await queue.addMany(Array.from({ length: 200 }, (_, index) => ({ data: `n${index}` })));
    await queue.addMany(Array.from({ length: 10 }, (_, index) => ({ data: `l${index}`, priority: "low" })));
    await eventually("all wait", async () => (await queue.counts()).waiting === 410);
    const ran: string[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("all have run", () => ran.length === 410);
    await worker.stop();
    const first = ran.slice(0, 100);
    const count = (letter: string): number => first.filter((data) => data.startsWith(letter)).length;
    expect(count("l")).toBeGreaterThanOrEqual(4);
    expect(count("n")).toBeGreaterThanOrEqual(10);
    expect(count("h")).toBeGreaterThanOrEqual(70);
  });
});
