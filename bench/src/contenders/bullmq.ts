import { Queue, Worker, type JobsOptions } from "bullmq";
import { bullmqConnection } from "./bullmq-connection.ts";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { JobTraits, OpenPlainQueue } from "./plain-queue.ts";

// The configuration that its guide "Going to production" recommends for throughput, and nothing that it advises against:
// - completed jobs are removed at once, on the worker, where the option does not travel with every job;
// - nobody listens to QueueEvents (the library writes its event stream all the same: there is no switch for that);
// - no auto-pipelining: its maintainers do not support it (taskforcesh/bullmq issue 457: jobs went missing);
// - lock renewal and the stalled check stay on: without them a job of a dead worker would be lost.
// Priorities are numbers, of which 1 goes first.
export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes, traits }) => {
  const queue = new Queue<Payload>(name, { connection: bullmqConnection(valkey) });
  await queue.waitUntilReady();
  const payload = payloadsOf(payloadBytes);
  return {
    addRange: (range, inFlight) => {
      const add = traits
        ? (seq: number) => queue.add("job", payload(seq), optionsOf(seq, traits))
        : (seq: number) => queue.add("job", payload(seq));
      return keepInFlight(range, inFlight, add);
    },
    work: async (handler, concurrency) => {
      const worker = new Worker<Payload>(name, async (job) => handler(job.data.seq), {
        connection: bullmqConnection(valkey),
        concurrency,
        removeOnComplete: { count: 0 },
      });
      worker.on("error", (error) => console.error(error));
      return { stop: () => worker.close() };
    },
    unfinished: async () => {
      const counts = await queue.getJobCounts("waiting", "active", "prioritized", "delayed", "failed");
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    close: () => queue.close(),
  };
};

function optionsOf(seq: number, { delayMs, hasPriorities }: JobTraits): JobsOptions {
  return { ...(delayMs !== undefined && { delay: delayMs }), ...(hasPriorities && { priority: 1 + (seq % 3) }) };
}
