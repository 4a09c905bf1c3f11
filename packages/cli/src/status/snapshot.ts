import type { Keyline } from "keyline";
import type { Session } from "../connection/session.ts";
import { channelItem, queueItem, streamItem, type Item, type Look } from "./item.ts";
import { askingAll, leftOut, storesOf, type StoreState } from "./stores.ts";

/** All there is at a moment. */
export interface Snapshot {
  readonly at: number;
  readonly healthy: boolean;
  readonly stores: readonly StoreState[];
  /** What is left out as nobody has said where PostgreSQL is. */
  readonly leftOut: string | undefined;
  /** What has problems comes first, then what waits for longest. */
  readonly items: readonly Item[];
}

// Each item asks a handful of things of either store.
const atATime = 16;

/** Reads counters and heads of lists, never a whole of anything. Of a store that is away it has what the other one knows. */
export async function takeSnapshot(session: Session, maxAgeMs: number): Promise<Snapshot> {
  const keyline = await session.keyline();
  const stores = storesOf(await keyline.health());
  const items = await readItems(keyline, { ask: askingAll(stores), maxAgeMs });
  return {
    at: Date.now(),
    healthy: stores.every(({ state }) => state === "ok") && items.every(({ problems }) => problems.length === 0),
    stores,
    leftOut: leftOut(session, items),
    items: items.toSorted(byUrgency),
  };
}

async function readItems({ directory }: Keyline, look: Look): Promise<Item[]> {
  const { ask } = look;
  const [queues = [], streams = [], channels = []] = await Promise.all([
    ask(directory.queues()),
    ask(directory.streams()),
    ask(directory.channels()),
  ]);
  const reads = [
    ...queues.map((entry) => () => queueItem(entry, look)),
    ...streams.map((entry) => () => streamItem(entry, look)),
    ...channels.map((entry) => () => channelItem(entry, look)),
  ];
  const items: Item[] = [];
  for (let first = 0; first < reads.length; first += atATime) {
    items.push(...(await Promise.all(reads.slice(first, first + atATime).map((read) => read()))));
  }
  return items;
}

function byUrgency(one: Item, other: Item): number {
  const troubled = Number(other.problems.length > 0) - Number(one.problems.length > 0);
  if (troubled !== 0) return troubled;
  return (one.oldestAt ?? Infinity) - (other.oldestAt ?? Infinity) || one.name.localeCompare(other.name);
}
