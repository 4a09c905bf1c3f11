import { z } from "zod";

/** A post as the API answers it and as its channel carries it. */
export const Post = z.object({
  postId: z.int().positive(),
  author: z.string(),
  content: z.string(),
  /** ISO 8601. */
  postedAt: z.string(),
});
export type Post = z.infer<typeof Post>;
