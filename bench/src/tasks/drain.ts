import { openPlainQueue } from "../contenders/open-plain-queue.ts";
import type { PlainQueueOptions } from "../contenders/plain-queue.ts";
import type { Task } from "../process/stage.ts";
import { GroupOrder } from "./group-order.ts";
import { Ledger } from "./ledger.ts";

export interface DrainParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly jobs: number;
  /** How many of the jobs pass before the clock starts, so that a worker at full speed is measured. */
  readonly lead: number;
  readonly concurrency: number;
  /** The jobs belong to so many groups, by turns: the order within each is looked at. */
  readonly groups?: number;
}

export interface Drained {
  /** Jobs since the clock started, which runs until the last handler. */
  readonly timedJobs: number;
  readonly elapsedMs: number;
}

export interface Delivered {
  readonly distinct: number;
  readonly repeated: number;
  readonly unfinished: number;
  readonly irregularity: string | undefined;
}

/** Processes jobs 0 to `jobs`, which wait already. */
export const drain: Task<DrainParams, Drained, Delivered> = async (params, stage) => {
  const { contender, options, jobs, lead, concurrency } = params;
  const queue = await openPlainQueue(contender, options);
  const ledger = new Ledger(0, jobs);
  const order = params.groups === undefined ? undefined : new GroupOrder(params.groups);
  const worker = await queue.work((seq) => {
    order?.record(seq);
    ledger.record(seq);
  }, concurrency);
  await ledger.reach(lead);
  await stage.measure(async () => {
    const start = performance.now();
    const timedJobs = jobs - ledger.distinct;
    await ledger.reach(jobs);
    return { timedJobs, elapsedMs: performance.now() - start };
  });
  await worker.stop();
  const unfinished = await queue.unfinished();
  await queue.close();
  return { distinct: ledger.distinct, repeated: ledger.repeated, unfinished, irregularity: order?.irregularity };
};
