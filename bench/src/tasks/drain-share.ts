import { setTimeout as pause } from "node:timers/promises";
import { openPlainQueue } from "../contenders/open-plain-queue.ts";
import type { PlainQueueOptions } from "../contenders/plain-queue.ts";
import { during } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";
import { monotonicMs } from "./monotonic-ms.ts";

export interface DrainShareParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly workers: number;
  readonly concurrency: number;
}

export interface Share {
  /** The numbers of the jobs that came to this process. */
  readonly handled: readonly number[];
  /** When the handlers of the first and of the last of them were called; undefined where none came. */
  readonly span: readonly [firstAtMs: number, lastAtMs: number] | undefined;
  readonly residentBytes: number;
  readonly unfinished: number;
}

const lookAgainMs = 50;

/** Processes jobs that wait already, together with other processes, until none is left. */
export const drainShare: Task<DrainShareParams, null, Share> = async ({ contender, options, workers, concurrency }, stage) => {
  const queue = await openPlainQueue(contender, options);
  const handled: number[] = [];
  let firstAtMs: number | undefined;
  let lastAtMs = 0;
  const handle = (seq: number): void => {
    handled.push(seq);
    lastAtMs = monotonicMs();
    firstAtMs ??= lastAtMs;
  };
  await stage.measure(async () => {
    const running = await Promise.all(Array.from({ length: workers }, () => queue.work(handle, concurrency)));
    await during({ what: "jobs came to this process", done: () => handled.length }, async () => {
      while ((await queue.unfinished()) > 0) await pause(lookAgainMs);
    });
    await Promise.all(running.map((worker) => worker.stop()));
    return null;
  });
  const unfinished = await queue.unfinished();
  await queue.close();
  const span = firstAtMs === undefined ? undefined : ([firstAtMs, lastAtMs] as const);
  return { handled, span, residentBytes: process.memoryUsage.rss(), unfinished };
};
