import { openPlainQueue } from "../contenders/open-plain-queue.ts";
import type { PlainQueueOptions } from "../contenders/plain-queue.ts";
import type { Task } from "../process/stage.ts";

export interface AddParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly jobs: number;
  /** How many of the jobs are added before the clock starts, so that compiled code is measured. */
  readonly lead: number;
  readonly inFlight: number;
}

/** Adds jobs 0 to `jobs`. */
export const add: Task<AddParams, { readonly elapsedMs: number }, null> = async (params, stage) => {
  const { contender, options, jobs, lead, inFlight } = params;
  const queue = await openPlainQueue(contender, options);
  await queue.addRange({ from: 0, to: lead }, inFlight);
  await stage.measure(async () => {
    const start = performance.now();
    await queue.addRange({ from: lead, to: jobs }, inFlight);
    return { elapsedMs: performance.now() - start };
  });
  await queue.close();
  return null;
};
