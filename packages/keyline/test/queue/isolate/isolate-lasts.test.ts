import type { Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import type { LastingData } from "./handlers/lasting.ts";

const file = new URL("./handlers/lasting.ts", import.meta.url);

let stage: Stage;
let names = 0;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const nextQueue = (lease: number): Queue<LastingData> =>
  stage.keyline().queue<LastingData>(`lasting${names++}`, { lease, keepResult: 60_000, maxAttempts: 2, backoff: () => 10 });

/** Where so many jobs that take so long ran. */
async function placesOf(queue: Queue<LastingData>, count: number, ms: number): Promise<readonly string[]> {
  const added = await queue.addMany(Array.from({ length: count }, () => ({ data: { do: "where", ms } as const })));
  return Promise.all(added.map(async ({ id }) => String(await queue.waitFor(id, { timeout: 60_000 }))));
}

describe.each(["thread", "process"] as const)("in a %s", (isolate) => {
  test("a loop that is ended at its timeout, four leases later, costs no lease, and its neighbours end meanwhile", async () => {
    const queue = nextQueue(1_000);
    const told: unknown[] = [];
    const worker = queue.work(file, { isolate, concurrency: 3, timeout: 4_000 });
    worker.on("error", (error) => told.push(error));
    worker.on("retried", (job, error) => told.push({ id: job.id, code: (error as { code?: string }).code }));
    // Those in which the neighbours run are there before.
    expect(new Set(await placesOf(queue, 3, 300)).size).toBeGreaterThan(1);
    const { id } = await queue.add({ do: "loop" });
    await eventually("it loops", async () => (await queue.job(id))?.progress === "loops", 60_000);
    expect((await placesOf(queue, 10, 5)).length).toBe(10);
    expect(told).toEqual([]);
    expect(await queue.waitFor(id, { timeout: 60_000 })).toBe("once");
    expect(told).toEqual([{ id, code: "TIMEOUT" }]);
    await worker.stop();
    await eventually("all is counted", async () => (await queue.rates()).total.completed === 14);
    expect((await queue.rates()).total).toMatchObject({ retried: 1, leasesLost: 0, rescued: 0, overtaken: 0 });
  }, 90_000);

  test("many jobs share as many as run at a time", async () => {
    const queue = nextQueue(10_000);
    const worker = queue.work(file, { isolate, concurrency: 2 });
    const places = new Set(await placesOf(queue, 50, 5));
    expect(places.size).toBeLessThanOrEqual(2);
    expect(places.has(`${process.pid} 0`)).toBe(false);
    await worker.stop();
  }, 90_000);

  test("what a job says of how far it has come is seen while it runs", async () => {
    const queue = nextQueue(10_000);
    const worker = queue.work(file, { isolate });
    const { id } = await queue.add({ do: "progress" });
    await eventually("it is seen", async () => (await queue.job(id))?.progress !== undefined, 60_000);
    expect(await queue.job(id)).toMatchObject({ state: "running", progress: { done: 5, of: 10 } });
    expect(await queue.cancel(id)).toBe("running");
    await worker.stop();
  }, 90_000);
});
