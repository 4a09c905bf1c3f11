import type { Job, Keyline } from "keyline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Take } from "../../faults/places/history.ts";
import { shareOf, windowsAbove } from "../../faults/places/limit-check.ts";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { watchTakes } from "../../support/take-watch.ts";

let stage: Stage;
// As many processes, as far as limits know: each has connections of its own.
let keylines: Keyline[];
let takes: Take[];
let stopWatching: () => void;

beforeAll(async () => {
  stage = await openStage();
  keylines = [1, 2, 3].map(() => stage.keyline());
  await keylines[0]?.migrate();
});
afterAll(() => stage.close());
beforeEach(() => {
  takes = [];
  stopWatching = watchTakes((take) => takes.push(take as Take));
});
afterEach(() => stopWatching());

describe.each([{ transactional: false }, { transactional: true }])("a rate (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string): EitherQueue<number>[] =>
    keylines.map((keyline) => openEither<number>(keyline, `${name}-${transactional}`, { transactional }));

  test("lets no more jobs begin in any window than it says, and not many fewer", async () => {
    const rate = { max: 20, per: 300 };
    const queues = open("all");
    const [queue] = queues;
    await queue?.setLimits({ rate });
    let ran = 0;
    const workers = queues.map((one) => one.work(() => void ran++, { concurrency: 10 }));
    await queue?.addMany(Array.from({ length: 120 }, (_, data) => ({ data })));
    await eventually("all have run", () => ran === 120);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(takes).toHaveLength(120);
    expect(windowsAbove(rate, takes, "the queue")).toEqual([]);
    expect(shareOf(rate, takes)).toBeGreaterThan(0.25);
    expect(await queue?.limits()).toEqual({ rate });
  });

  test("of groups lets no more of one begin, beside how many of it run at a time", async () => {
    const rate = { max: 4, per: 250 };
    const queues = open("groups");
    const [queue] = queues;
    await queue?.setLimits({ group: { concurrency: 2, rate } });
    const running = new Map<string, number>();
    const most = new Map<string, number>();
    let ran = 0;
    const workers = queues.map((one) =>
      one.work(
        async ({ group = "" }: Job<number>) => {
          const now = (running.get(group) ?? 0) + 1;
          running.set(group, now);
          most.set(group, Math.max(most.get(group) ?? 0, now));
          await new Promise((resolve) => setTimeout(resolve, 10));
          running.set(group, (running.get(group) ?? 0) - 1);
          ran++;
        },
        { concurrency: 20 },
      ),
    );
    for (const group of ["a", "b"]) await queue?.addMany(Array.from({ length: 16 }, (_, data) => ({ data, group })));
    await eventually("all have run", () => ran === 32);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect([...most.values()]).toEqual([2, 2]);
    for (const [group, own] of Map.groupBy(takes, (take) => take.group ?? "")) {
      expect(own.length).toBeGreaterThanOrEqual(16);
      expect(windowsAbove(rate, own, `group ${group}`)).toEqual([]);
      expect(shareOf(rate, own)).toBeGreaterThan(0.25);
    }
  });
});
