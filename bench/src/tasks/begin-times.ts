import { setTimeout as pause } from "node:timers/promises";
import { openPlainQueue } from "../contenders/open-plain-queue.ts";
import type { PlainQueueOptions } from "../contenders/plain-queue.ts";
import { during } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";
import { monotonicMs } from "./monotonic-ms.ts";

export interface BeginTimesParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly slow: { readonly seq: number; readonly ms: number };
}

export interface BeginTimes {
  /** Number of each job that came to this process, and when its handler was called. */
  readonly begun: readonly (readonly [seq: number, atMs: number])[];
  readonly unfinished: number;
}

const lookAgainMs = 50;

/** Processes jobs that wait already, one at a time, together with other processes, until none is left. One of them takes its time, the others none. */
export const beginTimes: Task<BeginTimesParams, null, BeginTimes> = async ({ contender, options, slow }, stage) => {
  const queue = await openPlainQueue(contender, options);
  const begun: [number, number][] = [];
  await stage.measure(async () => {
    const worker = await queue.work(async (seq) => {
      begun.push([seq, monotonicMs()]);
      if (seq === slow.seq) await pause(slow.ms);
    }, 1);
    await during({ what: "jobs began in this process", done: () => begun.length }, async () => {
      while ((await queue.unfinished()) > 0) await pause(lookAgainMs);
    });
    await worker.stop();
    return null;
  });
  const unfinished = await queue.unfinished();
  await queue.close();
  return { begun, unfinished };
};
