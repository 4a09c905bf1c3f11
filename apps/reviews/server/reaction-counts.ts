import type { Channel, Entry, Projection, Transaction } from "keyline";
import { kindOf } from "../reaction-kinds.ts";
import { noCounts } from "../review.ts";
import type { CountedEvent, ReviewEvent } from "../review-event.ts";
import { addToCounts, readCounts, type CountChange } from "./review-tables.ts";
import { toPlacedEvent, type ReviewsStream } from "./reviews-stream.ts";

// Each is a message too.
const mostAtOnce = 100;

/**
 * Keeps the table `reaction_counts` from the stream, and tells open pages: what is published in the projection's own transaction is
 * published once for every event, in the order of the stream, with the counts that are in the table then.
 */
export function countReactions(stream: ReviewsStream, events: Channel<CountedEvent>): Projection<ReviewEvent> {
  return stream.project(
    "reaction_counts",
    async (tx, entries) => {
      const changes = changesOf(entries);
      if (changes.length > 0) await addToCounts(tx, changes);
      await tell(tx, { entries, events });
    },
    { size: mostAtOnce, reset: async (tx) => void (await tx.query("DELETE FROM reaction_counts")) },
  );
}

interface News {
  readonly entries: readonly Entry<ReviewEvent>[];
  readonly events: Channel<CountedEvent>;
}

async function tell(tx: Transaction, { entries, events }: News): Promise<void> {
  const counts = await readCounts(tx, [...new Set(entries.map(({ data }) => data.reviewId))]);
  for (const entry of entries) {
    await events.publish({ event: toPlacedEvent(entry), counts: counts.get(entry.data.reviewId) ?? noCounts }, { tx });
  }
}

function changesOf(entries: readonly Entry<ReviewEvent>[]): CountChange[] {
  const changes = new Map<string, CountChange>();
  for (const { data } of entries) {
    const { reviewId, action, content } = data;
    if (action === "review") continue;
    const kind = action === "reaction" ? kindOf(content) : "";
    const name = `${reviewId} ${action} ${kind}`;
    changes.set(name, { reviewId, action, kind, count: (changes.get(name)?.count ?? 0) + 1 });
  }
  return [...changes.values()];
}
