import type { QueuedJob } from "keyline";
import { z } from "zod";

export const jobStates = z.enum(["waiting", "scheduled", "blocked", "running", "parked", "dead"]);
const place = z.object({ queue: z.string(), id: z.string() });
const step = z.object({
  name: z.string(),
  kind: z.enum(["step", "sleep", "signal"]),
  at: z.number(),
  until: z.number().optional(),
  outcome: z.enum(["done", "timeout"]).optional(),
});

/**
 * What whoever may see jobs is told of one, and no more. What a job is about is theirs to see; its stack, which has paths of the application's machine, and what its steps returned, which was
 * kept for the handler alone, are not.
 */
export const jobAnswer = z
  .object({
    id: z.string(),
    state: z.enum([...jobStates.options, "completed", "cancelled"]),
    data: z.unknown(),
    attempts: z.number(),
    addedAt: z.number().optional(),
    dueAt: z.number().optional(),
    group: z.string().optional(),
    priority: z.enum(["high", "normal", "low"]),
    error: z.string().optional().describe("Why its last attempt failed, or why it is dead"),
    history: z.array(z.object({ at: z.number(), tookMs: z.number().optional(), error: z.string() })).readonly(),
    progress: z.unknown().optional(),
    isFromRow: z.literal(true).optional().describe("Valkey was away: one that runs or is blocked is told as waiting or scheduled"),
    worker: z.string().optional().describe("The lease of the worker that has it"),
    startedAt: z.number().optional().describe("Since when that one runs it, by its clock"),
    steps: z.array(step).readonly().optional().describe("What a job of a transactional queue has done, in order"),
    parent: place.optional().describe("The job whose child it is"),
    children: z.object({ total: z.number(), open: z.number(), dead: z.number(), cancelled: z.number() }).optional(),
    onChildDead: z.enum(["die", "ignore", "value"]).optional(),
    cursor: z.string().describe("Where the next page begins behind it; empty for a job that was asked for by its id"),
  })
  .describe(
    "A job, and where it was when it was looked at; times in milliseconds since 1970; from `worker` on, and `progress`, only of one that was asked for by its id",
  );

export function tellJob(job: QueuedJob): z.output<typeof jobAnswer> {
  return jobAnswer.parse(job);
}
