/** What the task `pingResult` needs of a queue whose adder waits for the result; one implementation per contender. */
export interface ResultQueue {
  /** Adds a job with this number and resolves with what its handler returned: the number. */
  readonly ask: (seq: number) => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface ResultQueueOptions {
  readonly valkey: string;
  readonly name: string;
  readonly payloadBytes: number;
}

/** Opens a queue with a worker of concurrency 1, which has connections of its own. */
export async function openResultQueue(contender: string, options: ResultQueueOptions): Promise<ResultQueue> {
  if (contender === "keyline") return (await import("./keyline-results.ts")).open(options);
  if (contender === "bullmq") return (await import("./bullmq-results.ts")).open(options);
  throw new Error(`There is no queue with results ${contender}.`);
}
