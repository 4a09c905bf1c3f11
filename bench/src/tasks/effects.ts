import { setTimeout as pause } from "node:timers/promises";
import { EffectsTable, type EffectCount } from "../contenders/effects-table.ts";
import { openEffectQueue } from "../contenders/open-effect-queue.ts";
import type { EffectMode, EffectQueueOptions } from "../contenders/effect-queue.ts";
import { during } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";
import type { Drained } from "./drain.ts";
import { Progress } from "./progress.ts";

const betweenLooksMs = 5;

export interface EffectsParams {
  readonly contender: string;
  readonly options: EffectQueueOptions;
  readonly mode: EffectMode;
  readonly jobs: number;
  /** How many of the jobs pass before the clock starts, so that a worker at full speed is measured. */
  readonly lead: number;
}

/**
 * Processes jobs that wait already until the effect of the last one is committed. All contenders are timed from outside, on
 * a connection that can only see what is committed.
 */
export const effects: Task<EffectsParams, Drained, { readonly effects: EffectCount; readonly unfinished: number }> = async (
  { contender, options, mode, jobs, lead },
  stage,
) => {
  const table = await EffectsTable.create(options.postgres);
  const queue = await openEffectQueue(contender, options);
  await queue.addAll(jobs);
  await table.flushServer();
  const handled = new Progress();
  const worker = await queue.work(mode, (count) => (handled.value += count));
  await handled.reach(lead, "jobs were handled");
  await stage.measure(async () => {
    const start = performance.now();
    const timedJobs = jobs - handled.value;
    await handled.reach(jobs, "jobs were handled");
    // Nobody looks at the table before every handler has run: the looks would cost the contender that is measured.
    let committed = 0;
    await during({ what: "effects were committed", of: jobs, done: () => committed }, async () => {
      while ((committed = (await table.count()).total) < jobs) await pause(betweenLooksMs);
    });
    return { timedJobs, elapsedMs: performance.now() - start };
  });
  await worker.stop();
  const found = { effects: await table.count(), unfinished: await queue.unfinished() };
  await queue.close();
  await table.close();
  return found;
};
