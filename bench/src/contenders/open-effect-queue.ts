import type { EffectQueue, EffectQueueOptions, OpenEffectQueue } from "./effect-queue.ts";

/** Loaded on demand: a contender's process never imports another contender. */
const implementations: Readonly<Record<string, () => Promise<OpenEffectQueue>>> = {
  keyline: async () => (await import("./keyline-transactional.ts")).open,
  "keyline-statements": async () => (await import("./keyline-transactional.ts")).open,
  "keyline-steps": async () => (await import("./keyline-transactional.ts")).open,
  "bare-dispatch": async () => (await import("./bare-dispatch.ts")).open,
  "bare-statements": async () => (await import("./bare-effects.ts")).open,
  "pg-boss": async () => (await import("./pg-boss.ts")).open,
  "graphile-worker": async () => (await import("./graphile-worker.ts")).open,
};

export async function openEffectQueue(contender: string, options: EffectQueueOptions): Promise<EffectQueue> {
  const load = implementations[contender];
  if (!load) throw new Error(`There is no queue with effects ${contender}.`);
  const open = await load();
  return open(options);
}
