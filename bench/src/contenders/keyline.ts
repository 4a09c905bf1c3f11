import { Keyline, type AddOptions, type QueueOptions } from "keyline";
import { connect } from "./valkey-connection.ts";
import { keepInFlight } from "./in-flight.ts";
import { payloadsOf, type Payload } from "./payload.ts";
import type { JobTraits, OpenPlainQueue } from "./plain-queue.ts";
import { countJobsInValkey } from "./keyline-keys.ts";

type Rules = Omit<QueueOptions, "schema" | "transactional">;

/** Every option of a queue at the value that it has anyway. */
const defaultsSpelledOut = {
  maxAttempts: 10,
  backoff: { type: "exponential", delay: 1_000, max: 3_600_000, jitter: 0.2 },
  lease: 10_000,
  maxPayloadBytes: 1_048_576,
} as const;

export const openWithoutOptions: OpenPlainQueue = (options) => openWith(options.rate ? { limits: { rate: options.rate } } : {}, options);
export const openWithDefaultsSpelledOut: OpenPlainQueue = (options) => openWith(defaultsSpelledOut, options);

export async function openWith(
  rules: Rules,
  options: Parameters<OpenPlainQueue>[0],
  prepare?: (keyline: Keyline) => void,
): ReturnType<OpenPlainQueue> {
  const keyline = new Keyline({ valkey: options.valkey });
  prepare?.(keyline);
  const queue = keyline.queue<Payload>(options.name, rules);
  const payload = payloadsOf(options.payloadBytes);
  const observer = await connect(options.valkey);
  return {
    addRange: (range, inFlight) => {
      const { traits } = options;
      const add = traits ? (seq: number) => queue.add(payload(seq), optionsOf(seq, traits)) : (seq: number) => queue.add(payload(seq));
      return keepInFlight(range, inFlight, add);
    },
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

const priorities = ["high", "normal", "low"] as const;

function optionsOf(seq: number, { delayMs, hasPriorities, groups }: JobTraits): AddOptions {
  return {
    ...(delayMs !== undefined && { delay: delayMs }),
    ...(hasPriorities && { priority: priorities[seq % 3] ?? "normal" }),
    ...(groups !== undefined && { group: `group-${seq % groups}` }),
  };
}
