import type { EventEntry, EventPage, EventPlace } from "../../valkey/queue/events.ts";
import { formatPlace, type QueueEventGap } from "./queue-event.ts";

/** One step of a reader. Behind it he stands at its place. */
export type EventStep = { readonly kind: "event"; readonly entry: EventEntry } | { readonly kind: "gap"; readonly gap: QueueEventGap };

/**
 * The way of a reader at `from` through a page that was read from there: each event once, and a gap wherever one may be missing. Within a period events are
 * numbered without holes; between two periods there always is a gap. `isEnd` says that the page reaches the end.
 */
export function walkEvents(
  queue: string,
  { end, before, why, entries }: EventPage,
  { from, isEnd }: { readonly from: EventPlace; readonly isEnd: boolean },
): { readonly steps: readonly EventStep[]; readonly place: EventPlace } {
  const steps: EventStep[] = [];
  let place = from;
  const pass = (to: EventPlace): void => {
    const reason = place.period === to.period ? (to.count > place.count ? "trimmed" : "lost") : reasonOf(place, { end, before, why, to });
    const missed = reason === "trimmed" ? to.count - place.count : undefined;
    place = to;
    steps.push({ kind: "gap", gap: { queue, reason, missed, cursor: formatPlace(to) } });
  };
  for (const entry of entries) {
    const { period, count } = entry.place;
    // The place right before it.
    if (period !== place.period || count - 1 > place.count) pass({ period, count: count - 1 });
    if (count <= place.count) continue;
    place = entry.place;
    steps.push({ kind: "event", entry });
  }
  if (!isEnd || !end) return { steps, place };
  // Another period has begun in which nothing came yet, or what came in it is gone.
  if (end.period !== place.period) pass({ period: end.period, count: 0 });
  else if (end.count !== place.count && entries.length === 0) pass(end);
  return { steps, place };
}

function reasonOf(
  place: EventPlace,
  { end, before, why, to }: Pick<EventPage, "end" | "before" | "why"> & { readonly to: EventPlace },
): QueueEventGap["reason"] {
  if (end?.period !== to.period || before !== place.period) return "lost";
  return why === "unwatched" ? "unwatched" : "restarted";
}
