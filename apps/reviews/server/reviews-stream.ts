import type { Entry, Keyline, Stream } from "keyline";
import { ReviewEvent, type PlacedEvent } from "../review-event.ts";

export type ReviewsStream = Stream<ReviewEvent, ReviewEvent, true>;

/** Everything that happened to all reviews; `history` finds what happened to one by its number. */
export function openReviewsStream(keyline: Keyline): ReviewsStream {
  return keyline.stream("Reviews", { schema: ReviewEvent, key: ({ reviewId }) => String(reviewId), transactional: true });
}

export function toPlacedEvent({ id, at, data }: Entry<ReviewEvent>): PlacedEvent {
  return { id, at: new Date(at).toISOString(), ...data };
}
