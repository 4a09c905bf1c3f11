import { Keyline, type QueueOptions } from "keyline";
import { connect } from "./valkey-connection.ts";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";
import { countJobsInValkey } from "./keyline-keys.ts";

type Rules = Omit<QueueOptions, "schema" | "transactional">;

/** Every option of a queue at the value that it has anyway. */
const defaultsSpelledOut = {
  maxAttempts: 10,
  backoff: { type: "exponential", delay: 1_000, max: 3_600_000, jitter: 0.2 },
  lease: 10_000,
  maxPayloadBytes: 1_048_576,
} as const;

export const openWithoutOptions: OpenPlainQueue = (options) => openWith({}, options);
export const openWithDefaultsSpelledOut: OpenPlainQueue = (options) => openWith(defaultsSpelledOut, options);

async function openWith(rules: Rules, options: Parameters<OpenPlainQueue>[0]): ReturnType<OpenPlainQueue> {
  const keyline = new Keyline({ valkey: options.valkey });
  const queue = keyline.queue<Payload>(options.name, rules);
  const payload = payloadsOf(options.payloadBytes);
  const observer = await connect(options.valkey);
  return {
    addRange: (range, inFlight) => keepInFlight(range, inFlight, (seq) => queue.add(payload(seq))),
    work: async (handler, concurrency) => {
      const worker = queue.work(async (job) => handler(job.data.seq), { concurrency });
      return { stop: () => worker.stop() };
    },
    unfinished: () => countJobsInValkey(observer, options.name),
    close: async () => {
      await keyline.close();
      observer.disconnect();
    },
  };
}
