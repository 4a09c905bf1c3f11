import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { kinds, listed } from "../../support/schedule-stage.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let processes: TestProcess[] = [];
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (at bigint)");
});
afterEach(() => {
  for (const one of processes) one.signal("SIGKILL");
  processes = [];
});
afterAll(() => stage.close());

const hour = 3_600_000;
const patienceMs = 60_000;
const rules = { lease: 1_000, maxAttempts: 1_000 };

/** The data of a schedule's jobs says which of its declarations it was. */
interface Run {
  readonly id: string;
  readonly attempt: number;
  readonly data: number;
  readonly at: number;
}

describe.each(kinds)("a schedule of $kind that is changed while four processes make its ticks, and are killed", ({ transactional }) => {
  const name = `changed-${transactional}`;

  /** The clock of every second one is an hour fast or slow. */
  function start(): void {
    const clock = [0, hour, 0, -hour][processes.length % 4] ?? 0;
    const { valkeyUrl: valkey, databaseUrl: postgres, prefix } = stage;
    processes.push(
      startProcess("schedule-worker.ts", {
        valkey,
        postgres,
        prefix,
        queue: name,
        transactional,
        lease: rules.lease,
        declares: false,
        clock,
      }),
    );
  }

  const runs = (): Run[] => processes.flatMap(({ lines }) => lines.filter((line) => "attempt" in line)) as unknown as Run[];

  test("has each tick of either version once, and none that was due by the times before", async () => {
    const queue = openEither<number>(stage.keyline(), name, { transactional, ...rules });
    for (let count = 0; count < 4; count++) start();
    await eventually("they work", async () => (await stage.valkey.zcard(`${stage.prefix}:{${name}}:workers`)) === 4, patienceMs);
    const firsts: number[] = [];
    // Twice with other data alone, twice with other times.
    for (const [data, every] of [200, 200, 150, 150, 300].entries()) {
      const options = { every, missed: "all", data, ...(data === 4 && { limit: 8 }) } as const;
      const { nextAt = 0 } = await queue.schedule("tick", options);
      if (data % 2 === 0) firsts.push(nextAt);
      await eventually("it has ticked as it was declared", () => runs().filter((run) => run.data === data).length >= 4, patienceMs);
      const victim = processes[data];
      victim?.signal("SIGKILL");
      await victim?.exited;
      start();
    }
    await eventually("the schedule is over", async () => (await listed(queue.schedules()))[0]?.nextAt === undefined, patienceMs);
    await eventually(
      "nothing is left",
      async () => {
        const { waiting, running } = await queue.counts();
        return waiting + running === 0;
      },
      patienceMs,
    );
    // What a process has printed is read a moment later.
    const ofTheLast = (): number => new Set(runs().flatMap(({ data, at }) => (data === 4 ? [at] : []))).size;
    await eventually("each tick of the last version is told", () => ofTheLast() >= 8, patienceMs);

    const first = runs().filter(({ attempt }) => attempt === 1);
    // A second copy of what a row stands for may run, and has no effect.
    if (!transactional) expect(new Set(first.map(({ id }) => id)).size, "ticks that were added twice").toBe(first.length);
    const all = [...new Map(runs().map((run) => [run.id, run])).values()].toSorted((one, other) => one.at - other.at);
    const times = [200, 150, 300].map((every, version) => {
      const own = all.filter(({ data }) => data === 2 * version || data === 2 * version + 1);
      expect(own.map(({ at }) => at)).toEqual(own.map((_, index) => (firsts[version] ?? 0) + index * every));
      // With other data alone the ticks to come have that, and those that were made keep theirs.
      expect(own.map(({ data }) => data)).toEqual(own.map(({ data }) => data).toSorted((one, other) => one - other));
      return own.map(({ at }) => at);
    });
    expect(times[2]).toHaveLength(8);
    // Counted from their declaration: what is due by the times before is due before that.
    expect(times[0]?.at(-1)).toBeLessThanOrEqual((firsts[1] ?? 0) - 150);
    expect(times[1]?.at(-1)).toBeLessThanOrEqual((firsts[2] ?? 0) - 300);
    if (!transactional) return;
    // A run is told before it is settled, and a tick may have a row before Valkey knows of it.
    const left = async (): Promise<number> => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [name])).rows.length;
    await eventually("no row is unsettled", async () => (await left()) === 0, patienceMs);
    const { rows } = await stage.pool.query<{ at: string }>("SELECT at FROM effects ORDER BY at");
    expect(rows.map(({ at }) => Number(at))).toEqual(times.flat());
  }, 240_000);
});
