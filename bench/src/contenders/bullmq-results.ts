import { Queue, QueueEvents, Worker } from "bullmq";
import { bullmqConnection } from "./bullmq-connection.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { ResultQueue, ResultQueueOptions } from "./result-queue.ts";

// As its guide shows it: QueueEvents, and job.waitUntilFinished. Results are removed after as many jobs, as a job's result is in the job.
export async function open({ valkey, name, payloadBytes }: ResultQueueOptions): Promise<ResultQueue> {
  const queue = new Queue<Payload, number>(name, { connection: bullmqConnection(valkey) });
  const events = new QueueEvents(name, { connection: bullmqConnection(valkey) });
  const worker = new Worker<Payload, number>(name, async (job) => job.data.seq, {
    connection: bullmqConnection(valkey),
    concurrency: 1,
    removeOnComplete: { count: 100 },
  });
  worker.on("error", (error) => console.error(error));
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
  const payload = payloadsOf(payloadBytes);
  return {
    ask: async (seq) => {
      const job = await queue.add("job", payload(seq));
      return job.waitUntilFinished(events, 10_000);
    },
    close: async () => {
      await worker.close();
      await Promise.all([events.close(), queue.close()]);
    },
  };
}
