import { setTimeout as pause } from "node:timers/promises";
import { EffectsTable, type EffectCount } from "../contenders/effects-table.ts";
import { openEffectQueue } from "../contenders/open-effect-queue.ts";
import type { EffectMode, EffectQueueOptions } from "../contenders/effect-queue.ts";
import type { Task } from "../process/stage.ts";
import type { Drained } from "./drain.ts";

const betweenLooksMs = 5;
const silenceLimitMs = 20_000;

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
  const handled = new Count();
  const worker = await queue.work(mode, (count) => handled.add(count));
  await handled.reach(lead);
  await stage.measure(async () => {
    const start = performance.now();
    const timedJobs = jobs - handled.value;
    await handled.reach(jobs);
    // Nobody looks at the table before every handler has run: the looks would cost the contender that is measured.
    while ((await table.count()).total < jobs) await pause(betweenLooksMs);
    return { timedJobs, elapsedMs: performance.now() - start };
  });
  await worker.stop();
  const found = { effects: await table.count(), unfinished: await queue.unfinished() };
  await queue.close();
  await table.close();
  return found;
};

class Count {
  value = 0;
  #changedAt = performance.now();

  add(count: number): void {
    this.value += count;
    this.#changedAt = performance.now();
  }

  /** Rejects when nothing has been added for 20 seconds. */
  async reach(value: number): Promise<void> {
    while (this.value < value) {
      if (performance.now() - this.#changedAt > silenceLimitMs) {
        throw new Error(`${this.value} of ${value} jobs were handled, then none for 20 s.`);
      }
      await pause(betweenLooksMs);
    }
  }
}
