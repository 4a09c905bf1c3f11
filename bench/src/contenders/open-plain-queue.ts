import type { OpenPlainQueue, PlainQueue, PlainQueueOptions } from "./plain-queue.ts";

/** Loaded on demand: a contender's process never imports another contender. */
const implementations: Readonly<Record<string, () => Promise<OpenPlainQueue>>> = {
  keyline: async () => (await import("./keyline.ts")).openWithoutOptions,
  "keyline-defaults": async () => (await import("./keyline.ts")).openWithDefaultsSpelledOut,
  "keyline-instrumented": async () => (await import("./keyline-telemetry.ts")).openInstrumented,
  "keyline-traced": async () => (await import("./keyline-telemetry.ts")).openTraced,
  "keyline-ungrouped": async () => (await import("./keyline.ts")).openWithoutOptions,
  bullmq: async () => (await import("./bullmq.ts")).open,
  "bee-queue": async () => (await import("./bee-queue.ts")).open,
  "glide-mq": async () => (await import("./glide-mq.ts")).open,
  floor: async () => (await import("./floor.ts")).open,
  "keyline-stream": async () => (await import("./keyline-stream.ts")).open,
  xadd: async () => (await import("./raw-stream.ts")).open,
  xreadgroup: async () => (await import("./raw-stream.ts")).open,
  nats: async () => (await import("./nats.ts")).open,
  blmove: async () => (await import("./blmove.ts")).open,
};

/** Opens a queue of the contender of that name, with connections of its own. */
export async function openPlainQueue(contender: string, options: PlainQueueOptions): Promise<PlainQueue> {
  const load = implementations[contender];
  if (!load) throw new Error(`There is no plain queue ${contender}.`);
  const open = await load();
  return open(options);
}
