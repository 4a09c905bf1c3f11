import { setTimeout as pause } from "node:timers/promises";
import { openPlainQueue } from "../contenders/open-plain-queue.ts";
import type { PlainQueueOptions } from "../contenders/plain-queue.ts";
import { during } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";

export interface DrainShareParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly workers: number;
  readonly concurrency: number;
}

export interface Share {
  /** The numbers of the jobs that came to this process. */
  readonly handled: readonly number[];
  readonly unfinished: number;
}

const lookAgainMs = 50;

/** Processes jobs that wait already, together with other processes, until none is left. */
export const drainShare: Task<DrainShareParams, null, Share> = async ({ contender, options, workers, concurrency }, stage) => {
  const queue = await openPlainQueue(contender, options);
  const handled: number[] = [];
  await stage.measure(async () => {
    const running = await Promise.all(Array.from({ length: workers }, () => queue.work((seq) => void handled.push(seq), concurrency)));
    await during({ what: "jobs came to this process", done: () => handled.length }, async () => {
      while ((await queue.unfinished()) > 0) await pause(lookAgainMs);
    });
    await Promise.all(running.map((worker) => worker.stop()));
    return null;
  });
  const unfinished = await queue.unfinished();
  await queue.close();
  return { handled, unfinished };
};
