import type { ResultQueue, ResultQueueOptions } from "./result-queue.ts";

/** Opens a queue with a worker of concurrency 1, which has connections of its own. */
export async function openResultQueue(contender: string, options: ResultQueueOptions): Promise<ResultQueue> {
  if (contender === "keyline") return (await import("./keyline-results.ts")).open(options);
  if (contender === "bullmq") return (await import("./bullmq-results.ts")).open(options);
  throw new Error(`There is no queue with results ${contender}.`);
}
