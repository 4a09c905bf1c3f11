import type { EventStore, EventStoreOptions, OpenEventStore } from "./event-store.ts";

/** Loaded on demand: a contender's process never imports another contender. */
const implementations: Readonly<Record<string, () => Promise<OpenEventStore>>> = {
  keyline: async () => (await import("./keyline-event-store.ts")).open,
  emmett: async () => (await import("./emmett.ts")).open,
};

export async function openEventStore(contender: string, options: EventStoreOptions): Promise<EventStore> {
  const load = implementations[contender];
  if (!load) throw new Error(`There is no event store ${contender}.`);
  const open = await load();
  return open(options);
}
