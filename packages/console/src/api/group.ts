import { z } from "zod";
import { next, pageQuery, time } from "./basics.ts";

export const groupState = z.enum(["blocked", "paused", "running"]);

/** A group of a queue's jobs. */
export const queueGroup = z.object({
  name: z.string(),
  state: groupState,
  /** Jobs that stand in its line. */
  waiting: z.number(),
  /** The job that the line waits for. */
  blockedBy: z.string().nullable(),
  since: time.nullable(),
});
export type QueueGroup = z.infer<typeof queueGroup>;

export const groupsQuery = z.object({ ...pageQuery, state: groupState.optional() });

/** `GET queues/:queue/groups?state&cursor&limit` */
export const groupsPage = z.object({
  groups: z.array(queueGroup),
  /** Valkey is away: they are told by the rows of their jobs. */
  isFromRows: z.boolean(),
  next,
});
export type GroupsPage = z.infer<typeof groupsPage>;
