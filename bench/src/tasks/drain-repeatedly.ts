import { openPlainQueue, type PlainQueueOptions } from "../contenders/plain-queue.ts";
import type { Task } from "../process/stage.ts";
import { Ledger } from "./ledger.ts";
import { warmUp } from "./warm-up.ts";

export interface DrainRepeatedlyParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  /** How many jobs wait whenever a run starts. */
  readonly backlog: number;
  readonly jobsPerRun: number;
  readonly runs: number;
  readonly concurrency: number;
  readonly warmUpJobs: number;
}

/**
 * Fills the queue up to `backlog`, then times `jobsPerRun` jobs from the first to the last handler call of a worker
 * that is stopped right after; and again, `runs` times. The backlog is all that differs between a call and another.
 */
export const drainRepeatedly: Task<
  DrainRepeatedlyParams,
  { readonly jobsPerSecond: readonly number[] },
  { readonly delivered: number; readonly unfinished: number; readonly added: number }
> = async (params, stage) => {
  const { contender, options, backlog, jobsPerRun, runs, concurrency } = params;
  await warmUp({ contender, options, jobs: params.warmUpJobs, concurrency });
  const queue = await openPlainQueue(contender, options);
  // What is added in all cannot exceed the first filling and what the runs take, each at most the whole backlog.
  const ledger = new Ledger(0, backlog * (runs + 1));
  let added = 0;
  const fill = async (): Promise<void> => {
    const to = backlog + ledger.distinct;
    await queue.addRange({ from: added, to }, 1_000);
    added = to;
  };
  const runOnce = async (): Promise<number> => {
    await fill();
    const first = ledger.distinct;
    let firstAt = 0;
    let lastAt = 0;
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const worker = await queue.work((seq) => {
      if (ledger.distinct === first) firstAt = performance.now();
      ledger.record(seq);
      if (ledger.distinct !== first + jobsPerRun) return;
      lastAt = performance.now();
      finish();
    }, concurrency);
    await finished;
    await worker.stop();
    return ((jobsPerRun - 1) * 1_000) / (lastAt - firstAt);
  };
  await fill();
  await stage.measure(async () => {
    const jobsPerSecond: number[] = [];
    for (let run = 0; run < runs; run++) jobsPerSecond.push(await runOnce());
    return { jobsPerSecond };
  });
  const unfinished = await queue.unfinished();
  await queue.close();
  if (ledger.repeated > 0) throw new Error(`${ledger.repeated} jobs were delivered twice.`);
  return { delivered: ledger.distinct, unfinished, added };
};
