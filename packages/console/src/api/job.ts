import { z } from "zod";
import { next, pageQuery, payload, time } from "./basics.ts";

export const jobState = z.enum(["waiting", "scheduled", "blocked", "running", "parked", "dead", "completed", "cancelled"]);
export type JobState = z.infer<typeof jobState>;
export const listedState = z.enum(["waiting", "scheduled", "blocked", "running", "parked", "dead"]);
export type ListedState = z.infer<typeof listedState>;

export const failedAttempt = z.object({
  at: time,
  tookMs: z.number().nullable(),
  error: z.string(),
  /** Null of what no handler threw, and of a death, whose stack is the job's; on a plain queue also of all but the newest, and in lists. */
  stack: z.string().nullable(),
});
export type FailedAttempt = z.infer<typeof failedAttempt>;

/** A job in a list. */
export const jobRow = z.object({
  id: z.string(),
  state: jobState,
  payload: payload.nullable(),
  attempts: z.number(),
  addedAt: time.nullable(),
  dueAt: time.nullable(),
  group: z.string().nullable(),
  priority: z.string(),
  error: z.string().nullable(),
});
export type JobRow = z.infer<typeof jobRow>;

export const jobsQuery = z.object({
  ...pageQuery,
  state: listedState.optional(),
  group: z.string().min(1).max(200).optional(),
  /** A text in the payload: only of dead and scheduled jobs of transactional queues. */
  contains: z.string().min(1).max(200).optional(),
  /** A text in what their last attempts failed with: only of dead and scheduled jobs. */
  error: z.string().min(1).max(1_000).optional(),
});

/** `GET queues/:queue/jobs?state&group&contains&error&cursor&limit`. `isFromRows`: Valkey is away, and what runs or is blocked is told as waiting. */
export const jobsPage = z.object({ jobs: z.array(jobRow), next, isFromRows: z.boolean() });
export type JobsPage = z.infer<typeof jobsPage>;

/** Something that is known to have happened to a job, oldest first. */
export const timelineEntry = z.object({
  at: time,
  what: z.enum(["added", "due", "started", "failed", "step", "dead"]),
  detail: z.string().nullable(),
});
export type TimelineEntry = z.infer<typeof timelineEntry>;

/** What can be done to it where it is now. */
export const jobActs = z.object({
  cancel: z.boolean(),
  promote: z.boolean(),
  update: z.boolean(),
  signal: z.boolean(),
  redrive: z.boolean(),
  discard: z.boolean(),
});

const jobPlace = z.object({ queue: z.string(), id: z.string() });

/** `GET queues/:queue/jobs/:id`, and the topic `job:QUEUE/ID`. */
export const jobView = jobRow.extend({
  at: time,
  queue: z.string(),
  transactional: z.boolean(),
  /** Valkey is away: whether it runs, its progress and its worker are not known. */
  isFromRow: z.boolean(),
  history: z.array(failedAttempt),
  /** Of the error that it died of. */
  stack: z.string().nullable(),
  progress: z.unknown(),
  steps: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(["step", "sleep", "signal"]),
      at: time.nullable(),
      /** Until when it sleeps, or waits at the most. */
      until: time.nullable(),
      /** Null while it sleeps or waits. */
      outcome: z.enum(["done", "timeout"]).nullable(),
      value: z.unknown(),
    }),
  ),
  parent: jobPlace.nullable(),
  children: z.object({ total: z.number(), open: z.number(), dead: z.number(), cancelled: z.number() }).nullable(),
  onChildDead: z.string().nullable(),
  worker: z.string().nullable(),
  startedAt: time.nullable(),
  timeline: z.array(timelineEntry),
  can: jobActs,
});
export type JobView = z.infer<typeof jobView>;

export interface FamilyNode {
  readonly queue: string;
  readonly id: string;
  readonly state: string;
  /** Why it is dead, where its parent was told. */
  readonly reason: string | null;
  readonly children: readonly FamilyNode[];
  /** Where its further children begin: `family?cursor=` of this job. */
  readonly next: string | null;
}
export const familyNode: z.ZodType<FamilyNode> = z.lazy(() =>
  z.object({ queue: z.string(), id: z.string(), state: z.string(), reason: z.string().nullable(), children: z.array(familyNode), next }),
);
export const familyQuery = z.object(pageQuery);

/** `GET queues/:queue/jobs/:id/family?cursor`: the job with what is below it, and who is above it, the highest first. */
export const familyView = z.object({ above: z.array(jobPlace), node: familyNode });
export type FamilyView = z.infer<typeof familyView>;

/** `POST .../jobs/:id/cancel`. Answers what it was. */
export const cancelAnswer = z.object({ was: z.enum(["waiting", "scheduled", "running", "dead", "unknown"]) });
/** `POST .../jobs/:id/promote` ("retry now" of one that waits for its next attempt). */
export const promoteAnswer = z.object({ promoted: z.boolean() });
/** `POST .../jobs/:id/update`: at least one of them. */
export const updateBody = z.strictObject({
  data: z.unknown().optional(),
  delay: z.number().int().min(0).optional(),
  runAt: z.number().int().min(0).optional(),
  priority: z.enum(["high", "normal", "low"]).optional(),
});
export type UpdateBody = z.infer<typeof updateBody>;
export const updateAnswer = z.object({ updated: z.boolean(), state: z.string() });
/** `POST .../jobs/:id/signal` */
export const signalBody = z.strictObject({ name: z.string().min(1).max(200), data: z.unknown().optional() });
export type SignalBody = z.infer<typeof signalBody>;
export const signalAnswer = z.object({ sent: z.boolean() });
/** `POST .../jobs/:id/redrive` and `/discard`: of its dead letter. */
export const countAnswer = z.object({ count: z.number() });
/** The body of acts that need to know nothing else. */
export const noBody = z.strictObject({});
