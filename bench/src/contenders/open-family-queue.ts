import type { FamilyQueue, FamilyQueueOptions, OpenFamilyQueue } from "./family-queue.ts";

/** Loaded on demand: a contender's process never imports another contender. */
const implementations: Readonly<Record<string, () => Promise<OpenFamilyQueue>>> = {
  keyline: async () => (await import("./keyline-family.ts")).open,
  bullmq: async () => (await import("./bullmq-family.ts")).open,
};

export async function openFamilyQueue(contender: string, options: FamilyQueueOptions): Promise<FamilyQueue> {
  const load = implementations[contender];
  if (!load) throw new Error(`There is no queue with families ${contender}.`);
  const open = await load();
  return open(options);
}
