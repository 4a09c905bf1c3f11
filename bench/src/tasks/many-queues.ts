import { Keyline, type KeylineOptions } from "keyline";
import { keepInFlight } from "../contenders/in-flight.ts";
import { payloadsOf, type Payload } from "../contenders/payload.ts";
import { oneByOne, rest } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";
import { Ledger } from "./ledger.ts";

export interface ManyQueuesParams {
  readonly valkey: KeylineOptions["valkey"];
  readonly queues: number;
  readonly jobs: number;
  /** How many of the jobs pass before the clock starts. */
  readonly lead: number;
  readonly inFlight: number;
  readonly concurrency: number;
  readonly payloadBytes: number;
  readonly settlingMs: number;
}

/** One process with many queues and a worker for each: adds jobs to all of them by turns, by so many callers, until all of them are handled. */
export const manyQueues: Task<
  ManyQueuesParams,
  { readonly elapsedMs: number },
  { readonly distinct: number; readonly repeated: number; readonly residentBytes: number }
> = async ({ valkey, queues: count, jobs, lead, inFlight, concurrency, payloadBytes, settlingMs }, stage) => {
  const keyline = new Keyline({ valkey });
  const payload = payloadsOf(payloadBytes);
  const ledger = new Ledger(0, jobs);
  const queues = Array.from({ length: count }, (_, index) => keyline.queue<Payload>(`scale-${index}`));
  const add = (seq: number): Promise<unknown> => {
    const queue = queues[seq % count];
    if (!queue) throw new Error(`There is no queue for job ${seq}.`);
    return queue.add(payload(seq));
  };
  // One at a time: a job of each shows that its worker is there, and a server takes only so many new connections at once.
  let came: () => void = () => {};
  await oneByOne(count, "workers were started", async (index) => {
    queues[index]?.work(
      async (job) => {
        if (job.data.seq < 0) came();
        else ledger.record(job.data.seq);
      },
      { concurrency },
    );
    const arrival = new Promise<void>((resolve) => (came = resolve));
    await queues[index]?.add(payload(-1));
    await arrival;
  });
  await rest(settlingMs);
  await keepInFlight({ from: 0, to: lead }, inFlight, add);
  await ledger.reach(lead);
  await stage.measure(async () => {
    const start = performance.now();
    await keepInFlight({ from: lead, to: jobs }, inFlight, add);
    await ledger.reach(jobs);
    return { elapsedMs: performance.now() - start };
  });
  const residentBytes = process.memoryUsage.rss();
  await keyline.close();
  return { distinct: ledger.distinct, repeated: ledger.repeated, residentBytes };
};
