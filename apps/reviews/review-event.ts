import { z } from "zod";

/** What happened to a review: an event of the stream `Reviews`. */
export const ReviewEvent = z.object({
  action: z.enum(["review", "reaction", "response"]),
  reviewId: z.int().positive(),
  /** Who did it. */
  userId: z.string(),
  content: z.string(),
});
export type ReviewEvent = z.infer<typeof ReviewEvent>;

/** An event in its place in the stream. */
export const PlacedEvent = ReviewEvent.extend({
  /** Of the stream's entry. */
  id: z.string(),
  /** ISO 8601. */
  at: z.string(),
});
export type PlacedEvent = z.infer<typeof PlacedEvent>;

const Counts = z.object({
  reactions: z.int().nonnegative(),
  responses: z.int().nonnegative(),
  kinds: z.record(z.string(), z.int().nonnegative()),
});

/** An event, and what its review's counts are since. */
export const CountedEvent = z.object({ event: PlacedEvent, counts: Counts });
export type CountedEvent = z.infer<typeof CountedEvent>;
