import { z } from "zod";

/** What the author of a review is told, on a channel that only the author may hear. */
export const Notification = z.object({
  reviewId: z.int().positive(),
  action: z.enum(["reaction", "response"]),
  /** Who reacted or responded. */
  userId: z.string(),
  content: z.string(),
  /** The beginning of the review. */
  about: z.string(),
});
export type Notification = z.infer<typeof Notification>;
