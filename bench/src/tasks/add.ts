import { openPlainQueue, type PlainQueueOptions } from "../contenders/plain-queue.ts";
import type { Task } from "../process/stage.ts";

export interface AddParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly jobs: number;
  readonly inFlight: number;
  /** Jobs added to another queue first. */
  readonly warmUpJobs: number;
}

/** Adds jobs 0 to `jobs`. */
export const add: Task<AddParams, { readonly elapsedMs: number }, null> = async (params, stage) => {
  const { contender, options, jobs, inFlight } = params;
  if (params.warmUpJobs > 0) {
    const other = await openPlainQueue(contender, { ...options, name: `${options.name}-warm-up` });
    await other.addRange({ from: 0, to: params.warmUpJobs }, inFlight);
    await other.close();
  }
  const queue = await openPlainQueue(contender, options);
  await stage.measure(async () => {
    const start = performance.now();
    await queue.addRange({ from: 0, to: jobs }, inFlight);
    return { elapsedMs: performance.now() - start };
  });
  await queue.close();
  return null;
};
