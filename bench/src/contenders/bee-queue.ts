import BeeQueue from "bee-queue";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";

// Its fastest settings, all of them documented: no events in either direction, no job objects kept in memory, completed
// jobs removed, no delayed jobs to look for. Stall detection stays on: it cannot be switched off.
const fastest = {
  getEvents: false,
  sendEvents: false,
  storeJobs: false,
  removeOnSuccess: true,
  activateDelayedJobs: false,
} as const;

export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes }) => {
  const { hostname, port } = new URL(valkey);
  const redis = { host: hostname, port: Number(port) };
  const queue = new BeeQueue<Payload>(name, { ...fastest, redis, isWorker: false });
  await queue.ready();
  const payload = payloadsOf(payloadBytes);
  return {
    addRange: (range, inFlight) => keepInFlight(range, inFlight, (seq) => queue.createJob(payload(seq)).save()),
    work: async (handler, concurrency) => {
      const worker = new BeeQueue<Payload>(name, { ...fastest, redis, isWorker: true });
      await worker.ready();
      worker.process(concurrency, async (job) => handler(job.data.seq));
      return { stop: () => worker.close(10_000) };
    },
    unfinished: async () => {
      const { waiting, active, failed, delayed } = await queue.checkHealth();
      return waiting + active + failed + delayed;
    },
    close: () => queue.close(10_000),
  };
};
