import type { QueueStore } from "../../valkey/queue/queue-store.ts";

/**
 * Reads every key that has jobs of a queue, against the way that jobs go: one that moves meanwhile is then met twice rather than missed. Each
 * is to be read from its tail, where moves at the head do not shift what is still to be read.
 */
export async function readEverywhere({ keys, reads, leases }: QueueStore, read: (key: string) => Promise<void>): Promise<void> {
  await read(keys.scheduled);
  await read(keys.lines);
  for await (const parts of reads.groups()) for (const name of parts.flatMap(({ names }) => names)) await read(keys.line(name));
  for (const list of [keys.waiting, keys.high, keys.low]) await read(list);
  for (const worker of [...(await leases.workers()), ...(await leases.goneWorkers(Infinity))]) await read(keys.held(worker));
  await read(keys.scheduled);
}
