import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openCrew, quick, workBeside, type Added, type Crew, type Kind } from "../../support/ahead-crew.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());
afterEach(() => expect(stage.log.filter(({ level }) => level === "error")).toEqual([]));

const hour = 3_600_000;
// On a busy machine handlers may seem slow, and nothing is taken ahead.
const mostRounds = 40;
const patience = { timeout: 240_000 };

const countHeld = `
  local held = 0
  for _, key in ipairs(redis.call('KEYS', ARGV[1])) do held = held + redis.call('LLEN', key) end
  return held
`;

/** How many jobs workers of the queue hold at this moment: asked with one command. */
async function heldOf(queue: string): Promise<number> {
  return Number(await stage.valkey.eval(countHeld, 0, `${stage.prefix}:{${queue}}:held:*`));
}

describe.each([
  { transactional: false, concurrency: 1 },
  { transactional: true, concurrency: 10 },
])("what was taken ahead (transactional: $transactional)", (how) => {
  const { transactional, concurrency } = how;
  let crews = 0;
  const slow: Kind[] = Array.from({ length: concurrency }, () => "slow");

  /** Adds slow jobs for all of the worker's places, and 20 behind them. Does `act` when the last slow one begins, with its number. Returns how many were held then. */
  async function whileAhead<Result>(
    crew: Crew,
    act: (last: number) => Promise<Result>,
    behind: readonly Added[] = quick(20),
  ): Promise<{ readonly held: number; readonly result: Result }> {
    const { promise, resolve, reject } = Promise.withResolvers<[number, Result]>();
    let begun = 0;
    crew.onSlow = (number) => {
      if (++begun === concurrency) Promise.all([heldOf(crew.queue.name), act(number)]).then(resolve, reject);
    };
    // Whoever was woken by one job has no end to hand in, and takes none ahead: that is the first one.
    await crew.add("quick", ...slow, ...behind);
    const [held, result] = await promise;
    return { held, result };
  }

  /** With crews of their own, until at least so many were ahead as it was done. */
  async function inRounds(name: string, least: number, round: (crew: Crew) => Promise<number>): Promise<void> {
    let most = 0;
    for (let rounds = 0; rounds < mostRounds && most < concurrency + least; rounds++) {
      const crew = await openCrew(stage, `${name}-${transactional}-${crews++}`, { ...how, keepResult: 60_000 });
      most = Math.max(most, await round(crew));
      await crew.worker.stop();
    }
    expect(most).toBeGreaterThanOrEqual(concurrency + least);
  }

  async function emptied({ queue }: Crew): Promise<void> {
    await eventually("nothing is left", async () => {
      const { waiting, running, blocked } = await queue.counts();
      return waiting + running + blocked === 0;
    });
  }

  test("and is cancelled never begins, and whoever waits for it is told", patience, async () => {
    await inRounds("cancel", 3, async (crew) => {
      let victim = 0;
      const { held, result: was } = await whileAhead(crew, (last) => crew.queue.cancel(crew.idOf((victim = last + 2))));
      expect(["waiting", "running"]).toContain(was);
      await expect(crew.queue.waitFor(crew.idOf(victim), { timeout: 10_000 })).rejects.toMatchObject({ code: "JOB_CANCELLED" });
      crew.slow.open();
      await emptied(crew);
      expect(crew.begun).not.toContain(victim);
      expect(crew.begun).toHaveLength(1 + concurrency + 19);
      return held;
    });
  });

  test("counts for no rate that is set meanwhile: as many begin as that lets", patience, async () => {
    await inRounds("limits", 1, async (crew) => {
      const { queue, begun } = crew;
      const { held } = await whileAhead(crew, () => queue.setLimits({ rate: { max: 5, per: hour } }));
      expect(begun).toHaveLength(1 + concurrency);
      crew.slow.open();
      await eventually("as many as may have run", async () => begun.length === 1 + concurrency + 5 && (await queue.counts()).running === 0);
      for (let look = 0; look < 10; look++) expect(await queue.counts()).toMatchObject({ waiting: 15, running: 0 });
      await queue.setLimits({ rate: null });
      await emptied(crew);
      expect(begun).toHaveLength(1 + concurrency + 20);
      return held;
    });
  });

  test("of a slow one goes to others, each group in its order", patience, async () => {
    await inRounds("groups", 1, async (crew) => {
      const groups = Array.from({ length: 10 }, (_, index) => `g${index}`);
      const first = crew.begun.length + 600 + 1 + concurrency;
      const grouped = [1, 2].flatMap(() => groups.map((group) => ({ data: "quick" as const, group })));
      const { held } = await whileAhead(crew, () => Promise.resolve(), grouped);
      await eventually("it keeps none of the others", async () => (await crew.queue.counts()).running === concurrency);
      const other = workBeside(stage, crew.queue.name, how);
      await eventually("another worker has run them", () => other.ran.length >= 20);
      await other.worker.stop();
      expect(crew.begun).toHaveLength(1 + concurrency);
      expect(other.ran.toSorted()).toEqual(grouped.map((_, index) => crew.idOf(first + index)).toSorted());
      for (const index of groups.keys()) {
        const [one, two] = [crew.idOf(first + index), crew.idOf(first + groups.length + index)];
        expect(other.ran.indexOf(one)).toBeLessThan(other.ran.indexOf(two));
      }
      crew.slow.open();
      await emptied(crew);
      return held;
    });
  });
});
