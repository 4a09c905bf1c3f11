import type { Overview, OverviewItem } from "../api/overview.ts";
import type { Desk } from "../desk.ts";
import { inTurns } from "../library/in-turns.ts";
import { Patience } from "../library/patience.ts";
import { channelItem, queueItem, streamItem } from "./items.ts";

const mostItems = 500;
const atOnce = 16;

/** What was there when it could be read last, by kind and name: shown while a store is away. */
const lastSeen = new WeakMap<Desk, Map<string, OverviewItem>>();

/** Everything that there is, what is unhealthy first. All of it together waits two seconds for a store that does not answer, and half of one where that is known. */
export async function readOverview(desk: Desk): Promise<Overview> {
  const { health, shapes } = desk;
  const [{ warnings, valkey, postgres }, queues, streams, channels] = await Promise.all([
    health.read(),
    shapes.queues.list(),
    shapes.streams.list(),
    shapes.channels.list(),
  ]);
  const patience = new Patience(health);
  const asks = [
    ...queues.map((known) => () => queueItem(known, patience)),
    ...streams.map((known) => () => streamItem(known, patience)),
    ...channels.map((known) => () => channelItem(known, patience)),
  ];
  const read = await inTurns(asks.slice(0, mostItems), atOnce, (ask) => ask());
  const isAway = valkey.state === "away" || postgres.state === "away";
  const items = read.map((item) => remembered(desk, item, isAway)).toSorted(byUrgency);
  const stores = { valkey: valkey.state, postgres: postgres.state };
  return { at: Date.now(), stores, warnings, items, leftOut: Math.max(0, asks.length - mostItems) };
}

/** Where nothing of it can be said now, what could be said before. */
function remembered(desk: Desk, item: OverviewItem, isAway: boolean): OverviewItem {
  const seen = lastSeen.get(desk) ?? new Map<string, OverviewItem>();
  lastSeen.set(desk, seen);
  const key = `${item.kind}:${item.name}`;
  const isKnown = item.depth !== null || item.inRate !== null;
  if (isAway && !isKnown) return seen.get(key) ?? item;
  seen.set(key, item);
  return item;
}

function byUrgency(one: OverviewItem, other: OverviewItem): number {
  return (
    countOf(other, "critical") - countOf(one, "critical") ||
    countOf(other, "warning") - countOf(one, "warning") ||
    (other.oldestMs ?? -1) - (one.oldestMs ?? -1) ||
    (one.name < other.name ? -1 : 1)
  );
}

function countOf({ problems }: OverviewItem, severity: "critical" | "warning"): number {
  return problems.filter((problem) => problem.severity === severity).length;
}
