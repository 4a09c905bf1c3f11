import { setTimeout as pause } from "node:timers/promises";
import { openPlainQueue } from "../contenders/open-plain-queue.ts";
import type { PlainQueueOptions } from "../contenders/plain-queue.ts";
import { oneByOne } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";

/** Long enough for every contender's worker to have completed the job before and to block again. */
const untilIdleMs = 2;

export interface PingParams {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly jobs: number;
  /** Jobs before those that count. */
  readonly lead: number;
}

/**
 * Adds one job at a time to an idle worker of concurrency 1 and times each from the call of add to the call of the
 * handler. Producer and worker share the process, on connections of their own: one clock, and on a small machine no
 * third process that competes for a core.
 */
export const ping: Task<PingParams, { readonly latenciesMs: readonly number[] }, { readonly unfinished: number }> = async (
  { contender, options, jobs, lead },
  stage,
) => {
  const producer = await openPlainQueue(contender, options);
  const consumer = await openPlainQueue(contender, options);
  let arrived: (seq: number) => void = () => {};
  const worker = await consumer.work((seq) => arrived(seq), 1);
  const sendOne = async (seq: number): Promise<number> => {
    await pause(untilIdleMs);
    const arrival = new Promise<number>((resolve, reject) => {
      arrived = (got) => (got === seq ? resolve(performance.now()) : reject(new Error(`Got job ${got}, not ${seq}.`)));
    });
    const start = performance.now();
    const added = producer.addRange({ from: seq, to: seq + 1 }, 1);
    const end = await arrival;
    await added;
    return end - start;
  };
  await oneByOne(lead, "jobs before the clock starts were handled", sendOne);
  await stage.measure(async () => {
    const latenciesMs: number[] = [];
    await oneByOne(jobs, "jobs were handled", async (index) => latenciesMs.push(await sendOne(lead + index)));
    return { latenciesMs };
  });
  await worker.stop();
  const unfinished = await consumer.unfinished();
  await Promise.all([producer.close(), consumer.close()]);
  return { unfinished };
};
