import type { Keyline } from "keyline";
import { channelItem, queueItem, streamItem, type Item } from "./item.ts";

/** All there is at a moment. */
export interface Snapshot {
  readonly at: number;
  readonly healthy: boolean;
  readonly stores: readonly StoreState[];
  /** What has problems comes first, then what waits for longest. */
  readonly items: readonly Item[];
}

export interface StoreState {
  readonly store: "valkey" | "postgres";
  readonly state: "ok" | "away";
  readonly version: string | undefined;
  readonly roundTripMs: number | undefined;
  readonly error: string | undefined;
}

// Each item asks a handful of things of either store.
const atATime = 16;

/** Reads counters and heads of lists, never a whole of anything. What cannot be read because a store is away is left out. */
export async function takeSnapshot(keyline: Keyline, maxAgeMs: number): Promise<Snapshot> {
  const { valkey, postgres } = await keyline.health();
  const stores: StoreState[] = [
    { store: "valkey", ...stateOf(valkey) },
    ...(postgres.state === "unused" ? [] : [{ store: "postgres" as const, ...stateOf({ ...postgres, state: postgres.state }) }]),
  ];
  const items = valkey.state === "away" ? [] : await readItems(keyline, maxAgeMs);
  return {
    at: Date.now(),
    healthy: stores.every(({ state }) => state === "ok") && items.every(({ problems }) => problems.length === 0),
    stores,
    items: items.toSorted(byUrgency),
  };
}

async function readItems(keyline: Keyline, maxAgeMs: number): Promise<Item[]> {
  const { directory } = keyline;
  const [queues, streams, channels] = await Promise.all([directory.queues(), directory.streams(), directory.channels()]);
  const reads = [
    ...queues.map((entry) => () => queueItem(entry, maxAgeMs)),
    ...streams.map((entry) => () => streamItem(entry, maxAgeMs)),
    ...channels.map((entry) => () => channelItem(entry)),
  ];
  const items: Item[] = [];
  for (let first = 0; first < reads.length; first += atATime) {
    items.push(...(await Promise.all(reads.slice(first, first + atATime).map((read) => read()))));
  }
  return items;
}

function stateOf({ state, version, roundTripMs, error }: Omit<StoreState, "store">): Omit<StoreState, "store"> {
  return { state, version, roundTripMs, error };
}

function byUrgency(one: Item, other: Item): number {
  const troubled = Number(other.problems.length > 0) - Number(one.problems.length > 0);
  if (troubled !== 0) return troubled;
  return (one.oldestAt ?? Infinity) - (other.oldestAt ?? Infinity) || one.name.localeCompare(other.name);
}
