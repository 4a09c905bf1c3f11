import { openPlainQueue, type PlainQueueOptions } from "../contenders/plain-queue.ts";
import type { Task } from "../process/stage.ts";
import { Ledger } from "./ledger.ts";
import { warmUp } from "./warm-up.ts";

export interface DrainParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly jobs: number;
  readonly concurrency: number;
  readonly warmUpJobs: number;
}

export interface Drained {
  readonly elapsedMs: number;
  readonly distinct: number;
  readonly repeated: number;
}

/** Processes jobs 0 to `jobs`, which wait already, from the start of the worker to the last of them. */
export const drain: Task<DrainParams, Drained, { readonly unfinished: number }> = async (params, stage) => {
  const { contender, options, jobs, concurrency } = params;
  if (params.warmUpJobs > 0) await warmUp({ contender, options, jobs: params.warmUpJobs, concurrency });
  const queue = await openPlainQueue(contender, options);
  const ledger = new Ledger(0, jobs);
  let stop = async (): Promise<void> => {};
  await stage.measure(async () => {
    const start = performance.now();
    const worker = await queue.work((seq) => ledger.record(seq), concurrency);
    await ledger.complete();
    const elapsedMs = performance.now() - start;
    stop = worker.stop;
    return { elapsedMs, distinct: ledger.distinct, repeated: ledger.repeated };
  });
  await stop();
  const unfinished = await queue.unfinished();
  await queue.close();
  return { unfinished };
};
