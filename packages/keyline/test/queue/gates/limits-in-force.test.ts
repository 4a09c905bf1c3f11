import { afterAll, beforeAll, expect, test } from "vitest";
import { moment, type History, type Take } from "../../faults/places/history.ts";
import { checkLimits, type LimitPhase } from "../../faults/places/limit-check.ts";
import { per } from "../../faults/places/operations.ts";
import { LimitedCrew } from "../../support/limited-crew.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let crew: LimitedCrew;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(async () => {
  crew.close();
  await stage.close();
});

/** What was added at a known moment was not taken before it: that of a worker that had waited for it all the time, too. */
function withAdds(history: History, addedAt: ReadonlyMap<string, number>): History {
  const known = (take: Take): Take => ({ ...take, asked: Math.max(take.asked, addedAt.get(take.id) ?? 0) });
  return {
    ...history,
    takes: history.takes.map(known),
    runs: history.runs.map((run) => ({ ...run, take: run.take && known(run.take) })),
  };
}

// With the lease that queues have by default: who had to wait for a renewal would not have heard of it for seconds.
test("once setLimits has resolved no take of eight workers in four processes breaks the new limits, whether they were at work or waited", async () => {
  const queue = stage.keyline().queue<number>("in-force");
  crew = new LimitedCrew(stage, "in-force");
  await crew.start(4, { workers: 2, work: 2 });
  const addedAt = new Map<string, number>();
  const add = async (count: number): Promise<void> => {
    const jobs = Array.from({ length: count }, (_, index) => ({ data: addedAt.size + index, id: `j${addedAt.size + index}` }));
    const at = moment();
    for (const { id } of jobs) addedAt.set(id, at);
    await queue.addMany(jobs);
  };
  const phases: LimitPhase[] = [];
  /** So many jobs, or all, begin within these limits. */
  const limitTo = async ({ concurrency, max }: { concurrency: number; max: number }, began: () => Promise<void>): Promise<void> => {
    await queue.setLimits({ concurrency, rate: { max, per } });
    const from = moment();
    await began();
    phases.push({ from, until: moment(), concurrency, max, ofGroup: null });
    await queue.setLimits({ concurrency: null, rate: null });
  };
  const begun = (count: number): Promise<void> => eventually("they have begun", async () => (await crew.begun()).size >= count, 60_000);

  await add(3_000);
  await begun(500);
  // All of them are at work, and know of no gates.
  await limitTo({ concurrency: 3, max: 20 }, async () => begun((await crew.begun()).size + 50));
  await begun(3_000);
  for (const limits of [
    { concurrency: 2, max: 15 },
    { concurrency: 4, max: 10 },
  ]) {
    await eventually("all of them wait", async () => (await queue.counts()).running === 0);
    await limitTo(limits, async () => {
      await add(60);
      await begun(addedAt.size);
    });
  }
  const { violations, looked } = checkLimits(withAdds(await crew.end(), addedAt), phases, []);
  expect(violations).toEqual([]);
  expect(looked).toBeGreaterThanOrEqual(150);
}, 180_000);
