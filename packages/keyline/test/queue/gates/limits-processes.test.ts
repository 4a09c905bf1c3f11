import { afterAll, beforeAll, expect, test } from "vitest";
import { moment } from "../../faults/places/history.ts";
import { checkLimits, shareOf, windowsAbove } from "../../faults/places/limit-check.ts";
import { per } from "../../faults/places/operations.ts";
import { LimitedCrew } from "../../support/limited-crew.ts";
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

function openCrew(queue: string): LimitedCrew {
  const crew = new LimitedCrew(stage, queue);
  crews.push(crew);
  return crew;
}

const numbered = (first: number, count: number): { data: number }[] =>
  Array.from({ length: count }, (_, index) => ({ data: first + index }));

const limit = 5;
const lease = 3_000;

test("eight workers in four processes keep to limits that change, and are not stuck below them when one was killed", async () => {
  const queue = stage.keyline().queue<number>("limited", { lease });
  await queue.setLimits({ concurrency: limit, rate: { max: 40, per } });
  const crew = openCrew("limited");
  await crew.start(4, { lease, workers: 2, work: 20 });
  await queue.addMany(numbered(0, 600));
  await eventually("they run as many as they may", async () => (await crew.most()) === limit);
  // Killed while it runs something: its places are free when its lease has ended.
  await crew.kill();
  await eventually("all its places are taken again", async () => (await crew.running()) === limit);
  await eventually("all have run", async () => (await crew.begun()).size === 600, 60_000);
  expect(await crew.most()).toBe(limit);

  const until = moment();
  await queue.setLimits({ concurrency: 12, rate: null });
  const from = moment();
  await queue.addMany(numbered(600, 100));
  await eventually("more run", async () => (await crew.most()) > limit);
  await eventually("all have run", async () => (await crew.begun()).size === 700);
  expect(await crew.most()).toBeLessThanOrEqual(12);
  const phases = [
    { from: 0, until, concurrency: limit, max: 40, ofGroup: null },
    { from, until: Infinity, concurrency: 12, max: null, ofGroup: null },
  ];
  const { violations, looked } = checkLimits(await crew.end(), phases, []);
  expect(violations).toEqual([]);
  expect(looked).toBeGreaterThanOrEqual(650);
}, 180_000);

test("eight workers in four processes, of which one is killed, take no more in any window than the rate lets, and not many fewer", async () => {
  const rate = { max: 40, per: 300 };
  const queue = stage.keyline().queue<number>("rated", { lease });
  await queue.setLimits({ rate });
  const crew = openCrew("rated");
  await crew.start(4, { lease, workers: 2, work: 30 });
  await queue.addMany(numbered(0, 600));
  await eventually("some have run", async () => (await crew.begun()).size > 200, 60_000);
  await crew.kill();
  await eventually("all have run", async () => (await crew.begun()).size === 600, 60_000);
  const { takes } = await crew.end();
  expect(takes.length).toBeGreaterThanOrEqual(590);
  expect(windowsAbove(rate, takes, "the queue")).toEqual([]);
  expect(shareOf(rate, takes)).toBeGreaterThan(0.25);
}, 180_000);
