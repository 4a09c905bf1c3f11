import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";
import { checkLimits, checkTurns } from "./places/limit-check.ts";
import { live, type Lived } from "./places/life.ts";
import { lives, type Op } from "./places/operations.ts";
import { checkTicks, ticksOf, type Ticking } from "./places/tick-check.ts";

// LIVES=20 has more of them, and SEED=... the same again.
const { LIVES = "2", SEED } = process.env;
const rules = { numRuns: Number(LIVES), endOnFailure: true, ...(SEED !== undefined && { seed: Number(SEED) }) };

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let stage: Stage;

beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
  await stage.keyline().migrate();
  // No unique key: it would hide what took effect twice.
  await stage.pool.query("CREATE TABLE life (queue text, job_group text, n bigint, place bigserial)");
});
afterAll(async () => {
  await stage.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

type Counted = (numbers: readonly number[], idOf: (n: number) => string) => readonly number[];

/** What took effect is what there was to do; `counted` says which runs of a job count. */
function expectAll({ added, schedules, ran }: Lived, counted: Counted): void {
  for (const [group, numbers] of added) {
    const effects = counted(ran.get(group) ?? [], (n) => `j${n}`);
    if (group === "") expect(effects.toSorted((a, b) => a - b)).toEqual(numbers.toSorted((a, b) => a - b));
    else expect(effects).toEqual(numbers);
  }
  const ticks = (ticking: Ticking): readonly number[] => counted(ran.get(ticksOf(ticking)) ?? [], (at) => `${ticking.schedule}:${at}`);
  expect(schedules.flatMap((ticking) => checkTicks(ticking, ticks(ticking)))).toEqual([]);
}

function expectLimits({ history, phases, flushes }: Lived): void {
  const { violations, looked } = checkLimits(history, phases, flushes);
  expect(violations).toEqual([]);
  expect(looked).toBeGreaterThan(0);
  expect(checkTurns(history, flushes)).toEqual([]);
}

describe("random lives of jobs with places of their own, while workers are killed", () => {
  test("of a transactional queue, Valkey flushed and PostgreSQL restarted: each effect and each tick once, in the order of its group, within the limits", async () => {
    await fc.assert(
      fc.asyncProperty(lives(["kill", "flush", "restart"]), async (ops: Op[]) => {
        const lived = await live(ops, true, { stage, valkey, postgres });
        expectAll(lived, (numbers) => numbers);
        expectLimits(lived);
        expect(lived.unheld).toEqual([]);
      }),
      rules,
    );
  }, 600_000);

  test("of a plain queue: nothing is lost, each tick is made once, each group is run in its order, and limits are kept", async () => {
    await fc.assert(
      fc.asyncProperty(lives(["kill"]), async (ops: Op[]) => {
        const lived = await live(ops, false, { stage, valkey, postgres });
        // A job whose worker was killed may have run before: the first run of it counts.
        const { doubtful } = lived.history;
        expectAll(lived, (numbers, idOf) => numbers.filter((n, index) => numbers.indexOf(n) === index || !doubtful.has(idOf(n))));
        expectLimits(lived);
        expect(lived.unheld).toEqual([]);
      }),
      rules,
    );
  }, 600_000);
});
