import { afterAll, beforeAll, expect, test } from "vitest";
import { shareOf, windowsAbove } from "../../faults/places/limit-check.ts";
import { LimitedCrew } from "../../support/limited-crew.ts";
import { serverTime } from "../../support/schedule-stage.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
const crews: LimitedCrew[] = [];
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(async () => {
  for (const crew of crews) crew.close();
  await stage.close();
});

const lease = 3_000;
const groups = ["a", "b"];
/** So long after the end of a lease its jobs are back, also on a busy machine. */
const patienceMs = 15_000;

function openCrew(queue: string): LimitedCrew {
  const crew = new LimitedCrew(stage, queue);
  crews.push(crew);
  return crew;
}

function jobsOf(perGroup: number): { data: number; group: string }[] {
  return Array.from({ length: perGroup }, (_, data) => groups.map((group) => ({ data, group }))).flat();
}

async function allBegun(crew: LimitedCrew, perGroup: number): Promise<boolean> {
  const sizes = await Promise.all(groups.map(async (group) => (await crew.begun(group)).size));
  return sizes.every((size) => size === perGroup);
}

test("of each group four processes run as many at a time as may, and as many again when the lease of one that was killed has ended", async () => {
  const most = 3;
  const queue = stage.keyline().queue<number>("at-a-time", { lease });
  await queue.setLimits({ group: { concurrency: most } });
  const crew = openCrew("at-a-time");
  await crew.start(4, { lease, workers: 1, work: 50 });
  await queue.addMany(jobsOf(400));
  for (const group of groups) await eventually("as many run as may", async () => (await crew.most(group)) === most);
  const { leaseEnds, ran } = await crew.kill(groups);
  const [leaseEnd = 0] = leaseEnds;
  // Until then its places are not free: nobody knows that it does not run them any more.
  for (
    let beside = [0, 0];
    (await serverTime(stage, false)) < leaseEnd;
    beside = await Promise.all(groups.map((group) => crew.most(group)))
  )
    for (const [index, group] of groups.entries()) expect(beside[index]).toBeLessThanOrEqual(most - (ran.get(group) ?? 0));
  for (const group of groups) await eventually("all its places are taken again", async () => (await crew.most(group)) === most);
  expect((await serverTime(stage, false)) - leaseEnd).toBeLessThan(patienceMs);
  await eventually("all have run", () => allBegun(crew, 400), 60_000);
  for (const group of groups) expect(await crew.most(group)).toBe(most);
  await crew.end();
}, 180_000);

test("of each group two processes take no more in any window than its rate lets, and not many fewer, also when one of them was killed", async () => {
  const rate = { max: 6, per: 250 };
  const queue = stage.keyline().queue<number>("rated-groups", { lease });
  await queue.setLimits({ group: { concurrency: 10, rate } });
  const crew = openCrew("rated-groups");
  await crew.start(2, { lease, workers: 2, work: 30 });
  await queue.addMany(jobsOf(90));
  await eventually("some have run", async () => (await crew.begun("a")).size > 30);
  await crew.kill(groups);
  await eventually("all have run", () => allBegun(crew, 90), 60_000);
  const { takes } = await crew.end();
  const byGroup = Map.groupBy(takes, ({ group = "" }) => group);
  expect([...byGroup.keys()].toSorted()).toEqual(groups);
  for (const [group, own] of byGroup) {
    expect(own.length).toBeGreaterThanOrEqual(85);
    expect(windowsAbove(rate, own, `group ${group}`)).toEqual([]);
    expect(shareOf(rate, own)).toBeGreaterThan(0.2);
  }
}, 180_000);
