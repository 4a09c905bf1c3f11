import { setTimeout as pause } from "node:timers/promises";
import { openResultQueue } from "../contenders/open-result-queue.ts";
import type { ResultQueueOptions } from "../contenders/result-queue.ts";
import { oneByOne } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";

/** Long enough for every contender's worker to block again. */
const untilIdleMs = 2;

export interface PingResultParams {
  readonly contender: string;
  readonly options: ResultQueueOptions;
  readonly jobs: number;
  /** Jobs before those that count. */
  readonly lead: number;
}

/** Adds one job at a time to an idle worker and times each from the call of add to the result. Both share the process, as in `ping`. */
export const pingResult: Task<PingResultParams, { readonly latenciesMs: readonly number[] }, Record<string, never>> = async (
  { contender, options, jobs, lead },
  stage,
) => {
  const queue = await openResultQueue(contender, options);
  const askOne = async (seq: number): Promise<number> => {
    await pause(untilIdleMs);
    const start = performance.now();
    const result = await queue.ask(seq);
    const took = performance.now() - start;
    if (result !== seq) throw new Error(`Got the result ${result}, not ${seq}.`);
    return took;
  };
  await oneByOne(lead, "jobs before the clock starts had results", askOne);
  await stage.measure(async () => {
    const latenciesMs: number[] = [];
    await oneByOne(jobs, "jobs had results", async (index) => latenciesMs.push(await askOne(lead + index)));
    return { latenciesMs };
  });
  await queue.close();
  return {};
};
