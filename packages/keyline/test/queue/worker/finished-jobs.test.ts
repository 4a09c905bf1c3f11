import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HeldJob, HeldJobs } from "../../../src/queue/worker/held-jobs.ts";
import { FinishedJobs } from "../../../src/queue/worker/finished-jobs.ts";
import type { Ties } from "../../../src/queue/worker/ties.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("a job that ended before an older one leaves Valkey while that one goes on", async () => {
  const queue = stage.keyline().queue<number>("elder", { transactional: true });
  await queue.addMany(Array.from({ length: 60 }, (_, n) => ({ data: n })));
  const elder = Promise.withResolvers<void>();
  const completed: number[] = [];
  const worker = queue.work(
    async ({ data }, { settle }) => {
      if (data === 0) await elder.promise;
      await settle(async () => undefined);
    },
    { concurrency: 8 },
  );
  worker.on("completed", ({ data }) => completed.push(data));
  await eventually("all but the oldest are known to be completed", () => completed.length === 59);
  expect(await queue.counts()).toMatchObject({ running: 1, waiting: 0 });
  elder.resolve();
  await eventually("the oldest is", () => completed.length === 60);
  expect(completed.at(-1)).toBe(0);
  await worker.stop();
});

test("a worker that stops hands in what waits for its elders", async () => {
  const queue = stage.keyline().queue<number>("stops", { transactional: true });
  await queue.addMany(Array.from({ length: 4 }, (_, n) => ({ data: n })));
  const elder = Promise.withResolvers<void>();
  let settled = 0;
  const worker = queue.work(
    async ({ data }, { settle }) => {
      if (data === 0) await elder.promise;
      await settle(async () => undefined);
      if (++settled === 3) void worker.stop({ timeout: 100 });
    },
    { concurrency: 4 },
  );
  await eventually("the others have ended", () => settled === 3);
  await worker.stop();
  // The oldest was given back, and nothing else is left.
  expect(await queue.counts()).toMatchObject({ running: 0, waiting: 1 });
  elder.resolve();
});

describe("what is handed in next", () => {
  const job = (n: number): HeldJob<number> => new HeldJob<number>(`{"id":"${String(n).padStart(20, "0")}","at":1764000000000,"data":${n}}`);
  const open = (hasRecord: boolean, isTied: (job: HeldJob<unknown>) => boolean = () => false) => {
    const held = new HeldJobs<number>();
    const jobs = Array.from({ length: 6 }, (_, n) => job(n));
    held.join(jobs);
    const ties = { hasRecord, of: (one: HeldJob<unknown>) => (isTied(one) ? [{ kind: "group", value: "1 a" }] : []) } as unknown as Ties;
    const finished = new FinishedJobs<number>({ held, ties, due: () => undefined, patienceMs: 600_000 });
    const end = (...numbers: number[]): void => numbers.forEach((n) => finished.add(jobs[n] ?? job(n)));
    const next = (mayWait = true): number[] => {
      const out = finished.next(mayWait);
      held.leave(out);
      return out.map(({ raw }) => (JSON.parse(raw) as { data: number }).data);
    };
    return { end, next, finished };
  };

  test("the oldest, in the order in which they are held, and the others behind them", () => {
    const { end, next, finished } = open(true);
    end(4, 1, 0);
    expect(next()).toEqual([0, 1]);
    expect(next()).toEqual([]);
    expect(finished.count).toBe(1);
    end(3, 2);
    expect(next()).toEqual([2, 3, 4]);
    expect(finished.count).toBe(0);
    finished.close();
  });

  test("all of them where gates count, or one is tied to something, or there is no record", () => {
    const gated = open(true);
    gated.end(4, 1);
    expect(gated.next(false)).toEqual([4, 1]);
    const tied = open(true, ({ raw }) => raw.includes('"data":1'));
    tied.end(4);
    expect(tied.next()).toEqual([]);
    tied.end(1);
    expect(tied.next()).toEqual([4, 1]);
    const plain = open(false);
    plain.end(4, 1, 0);
    expect(plain.next()).toEqual([4, 1, 0]);
    tied.finished.close();
  });
});
