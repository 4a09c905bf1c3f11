import { setTimeout as pause } from "node:timers/promises";
import { EffectsTable, type EffectCount } from "../contenders/effects-table.ts";
import { openEffectQueue, type EffectMode, type EffectQueue, type EffectQueueOptions } from "../contenders/effect-queue.ts";
import type { Task } from "../process/stage.ts";

const betweenLooksMs = 5;
const silenceLimitMs = 20_000;

export interface EffectsParams {
  readonly contender: string;
  readonly options: EffectQueueOptions;
  readonly mode: EffectMode;
  readonly jobs: number;
  readonly warmUpJobs: number;
}

/**
 * Processes jobs that wait already, from the start of the worker until the effect of the last one is committed. All
 * contenders are timed from outside, on a connection that can only see what is committed.
 */
export const effects: Task<
  EffectsParams,
  { readonly elapsedMs: number },
  { readonly effects: EffectCount; readonly unfinished: number }
> = async ({ contender, options, mode, jobs, warmUpJobs }, stage) => {
  const table = await EffectsTable.create(options.postgres);
  const queue = await openEffectQueue(contender, options);
  await queue.addAll(warmUpJobs);
  await (await workUntilCommitted({ queue, table, mode, jobs: warmUpJobs })).stop();
  await table.clear();
  await queue.addAll(jobs);
  await table.clear();
  let stop = async (): Promise<void> => {};
  await stage.measure(async () => {
    const start = performance.now();
    const worker = await workUntilCommitted({ queue, table, mode, jobs });
    const elapsedMs = performance.now() - start;
    stop = worker.stop;
    return { elapsedMs };
  });
  await stop();
  const found = { effects: await table.count(), unfinished: await queue.unfinished() };
  await queue.close();
  await table.close();
  return found;
};

interface Work {
  readonly queue: EffectQueue;
  readonly table: EffectsTable;
  readonly mode: EffectMode;
  readonly jobs: number;
}

async function workUntilCommitted({ queue, table, mode, jobs }: Work): ReturnType<EffectQueue["work"]> {
  let handled = 0;
  let lastHandledAt = performance.now();
  const worker = await queue.work(mode, (count) => {
    handled += count;
    lastHandledAt = performance.now();
  });
  // Nobody looks at the table before every handler has run: the looks would cost the contender that is measured.
  while (handled < jobs || (await table.count()).total < jobs) {
    if (performance.now() - lastHandledAt > silenceLimitMs) {
      throw new Error(`${(await table.count()).total} of ${jobs} effects were committed, then nothing for 20 s.`);
    }
    await pause(betweenLooksMs);
  }
  return worker;
}
