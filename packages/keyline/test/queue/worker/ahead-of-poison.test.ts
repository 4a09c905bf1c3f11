import { afterAll, beforeAll, expect, test } from "vitest";
import { lettersOf } from "../../support/letters.ts";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
const processes: TestProcess[] = [];
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(async () => {
  for (const one of processes) one.signal("SIGKILL");
  await stage.close();
});

const neighbours = 20;
const maxAttempts = 3;
/** A worker that stands still for longer, with its machine, is taken for one that has died, and an attempt is counted for all that it holds: that is right, and not what is looked at here. */
const lease = 5_000;
const hasEnded = ({ child }: TestProcess): boolean => child.exitCode !== null || child.signalCode !== null;

// While others are added all the time, a worker takes what came back together with much else: that is when it has to see what it took.
test.each([
  { others: 0, how: "while nothing else is to be done" },
  { others: 1_000, how: "while there is always more to do" },
])(
  "a job that kills workers that have taken ahead takes none of its neighbours along a second time, $how",
  async ({ others }) => {
    const name = `poison-${others}`;
    const queue = stage.keyline().queue<number | null>(name, { maxAttempts });
    const settings = { valkey: stage.valkeyUrl, prefix: stage.prefix, queue: name, lease, maxAttempts };
    // One more than it kills.
    const own = Array.from({ length: maxAttempts + 1 }, () => startProcess("ahead-worker.ts", settings));
    processes.push(...own);
    await eventually("they are ready", () => own.every(({ lines }) => lines.length > 0), 60_000);
    const add = (data: readonly (number | null)[]): Promise<unknown> => queue.addMany(data.map((each) => ({ data: each })));
    const nothings = (count: number): null[] => Array.from({ length: count }, () => null);
    const emptied = (): Promise<void> =>
      eventually("nothing is left", async () => {
        const { waiting, running } = await queue.counts();
        return waiting + running === 0;
      });
    // All of them get to know their handlers.
    for (let round = 0; round < 5; round++) {
      await add(nothings(1_000));
      await emptied();
    }
    let isOver = false;
    const adding = (async () => {
      while (!isOver && others > 0) {
        if ((await queue.counts()).waiting < others) await add(nothings(others));
      }
    })();
    // Whoever was woken by one job has no end to hand in, and takes none ahead: those are the first ones.
    await add([...nothings(own.length), 0, ...Array.from({ length: neighbours }, (_, index) => index + 1)]);
    await eventually("it is dead", async () => (await queue.counts()).dead > 0, 60_000);
    isOver = true;
    await adding;
    await emptied();
    expect(own.filter(hasEnded)).toHaveLength(maxAttempts);
    expect(await lettersOf(queue)).toMatchObject([{ data: 0, reason: expect.stringContaining("WORKER_DIED") as string }]);
    const runs = own.flatMap(({ lines }) => lines) as unknown as { readonly ran?: number; readonly attempt: number }[];
    const attemptsOf = (number: number): number[] => runs.flatMap(({ ran, attempt }) => (ran === number ? attempt : []));
    const ofNeighbours = Array.from({ length: neighbours }, (_, index) => attemptsOf(index + 1));
    expect(attemptsOf(0).toSorted((one, other) => one - other)).toEqual([1, 2, 3]);
    expect(Math.min(...ofNeighbours.map(({ length }) => length))).toBeGreaterThan(0);
    expect(Math.max(...ofNeighbours.flat())).toBeLessThanOrEqual(2);
  },
  180_000,
);
