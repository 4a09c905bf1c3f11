import { FlowProducer, Worker } from "bullmq";
import { bullmqConnection } from "./bullmq-connection.ts";
import { familyConcurrency, type OpenFamilyQueue } from "./family-queue.ts";
import { payloadsOf, type Payload } from "./payload.ts";

// As its guide to flows shows it: FlowProducer, and getChildrenValues in the parent. Completed jobs are removed by the worker.
export const open: OpenFamilyQueue = async ({ valkey, name, payloadBytes }) => {
  const flow = new FlowProducer({ connection: bullmqConnection(valkey) });
  await flow.waitUntilReady();
  const payload = payloadsOf(payloadBytes);
  const parents = `${name}-parents`;
  return {
    add: async (first, count) => {
      const children = Array.from({ length: count }, (_, index) => ({ name: "child", queueName: name, data: payload(first + index) }));
      await flow.add({ name: "parent", queueName: parents, data: payload(first), children });
    },
    work: async (handlers) => {
      const options = { connection: bullmqConnection(valkey), removeOnComplete: { count: 0 } };
      const workers: Worker[] = [
        new Worker<Payload>(name, async ({ data }) => (handlers.child(data.seq), data.seq), { ...options, concurrency: familyConcurrency }),
        new Worker<Payload>(
          parents,
          async (job) => {
            handlers.parent();
            handlers.values(Object.values(await job.getChildrenValues<number>()));
          },
          { ...options, connection: bullmqConnection(valkey) },
        ),
      ];
      for (const worker of workers) worker.on("error", (error) => console.error(error));
      await Promise.all(workers.map((worker) => worker.waitUntilReady()));
      return { stop: async () => void (await Promise.all(workers.map((worker) => worker.close()))) };
    },
    close: () => flow.close(),
  };
};
