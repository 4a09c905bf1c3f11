import { z } from "zod";
import { problem, time } from "./basics.ts";
import { stores, warning } from "./health.ts";

export const kind = z.enum(["queue", "stream", "channel"]);
export type Kind = z.infer<typeof kind>;

/** One minute of the last hour. */
export const sparkPoint = z.object({ at: time, in: z.number(), out: z.number(), failed: z.number() });
export type SparkPoint = z.infer<typeof sparkPoint>;

/** A row of the overview. Null is what is not known, or what this kind has not. */
export const overviewItem = z.object({
  kind,
  name: z.string(),
  transactional: z.boolean(),
  /** Of a queue: jobs that wait or stand in the lines of groups. Of a stream: what its slowest group has before it. Of a channel: null. */
  depth: z.number().nullable(),
  /** Of a queue: those of them that stand in lines. */
  blocked: z.number().nullable(),
  /** The age of the oldest of those, in milliseconds. */
  oldestMs: z.number().nullable(),
  /** A minute, over the last five that are over. */
  inRate: z.number().nullable(),
  outRate: z.number().nullable(),
  failedRate: z.number().nullable(),
  deadCount: z.number().nullable(),
  paused: z.boolean(),
  /** Of a queue: workers; of a stream: consumers of all groups. */
  workers: z.number().nullable(),
  /** Oldest first: 60 of them, or none where nothing is counted. */
  spark: z.array(sparkPoint),
  problems: z.array(problem),
});
export type OverviewItem = z.infer<typeof overviewItem>;

/** `GET overview`: what has problems first, the worst in front; then by the age of the oldest. */
export const overview = z.object({
  at: time,
  stores,
  warnings: z.array(warning),
  items: z.array(overviewItem),
  /** How many are not among the items, which are 500 at the most. */
  leftOut: z.number(),
});
export type Overview = z.infer<typeof overview>;
