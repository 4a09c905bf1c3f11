import { z } from "zod";
import { next, pageQuery, payload, time } from "./basics.ts";
import { failedAttempt } from "./job.ts";

export const letterRow = z.object({
  id: z.string(),
  reason: z.string(),
  stack: z.string().nullable(),
  attempts: z.number(),
  /** When it died. */
  at: time,
  group: z.string().nullable(),
  history: z.array(failedAttempt),
  payload,
});
export type LetterRow = z.infer<typeof letterRow>;

const filter = {
  /** As `causes` groups them. */
  cause: z.string().min(1).max(1_000).optional(),
  /** A text in the reason. */
  error: z.string().min(1).max(1_000).optional(),
  group: z.string().min(1).max(200).optional(),
};

export const lettersQuery = z.object({
  ...pageQuery,
  ...filter,
  before: z.coerce.number().optional(),
  after: z.coerce.number().optional(),
});

/** `GET queues/:queue/letters?cause&error&group&before&after&cursor&limit`: newest first. */
export const lettersPage = z.object({ letters: z.array(letterRow), next });
export type LettersPage = z.infer<typeof lettersPage>;

/** Dead letters of one error. */
export const cause = z.object({
  cause: z.string(),
  example: z.string(),
  count: z.number(),
  firstAt: time,
  lastAt: time,
});
export type Cause = z.infer<typeof cause>;

/** `GET queues/:queue/causes`: the commonest first. `looked` is less than `total` where there are too many to look at all. */
export const causesView = z.object({ causes: z.array(cause), looked: z.number(), total: z.number() });
export type CausesView = z.infer<typeof causesView>;

/** Which dead letters are meant: of these jobs, those that fit all of the filter, or with an empty filter all. */
export const bulkBody = z
  .strictObject({
    ids: z.array(z.string().min(1).max(200)).min(1).max(10_000).optional(),
    filter: z.strictObject({ ...filter, after: z.number().optional() }).optional(),
    /** Only those that died before: what dies meanwhile is not touched. Default now. */
    before: z.number().optional(),
    /** Says only how many there are: `{ count }`. */
    dryRun: z.boolean().optional(),
  })
  .refine(({ ids, filter }) => (ids === undefined) !== (filter === undefined), "ids or filter, one of the two");
/** `POST queues/:queue/letters/redrive` and `/discard`. Answers 200 `dryRunAnswer` or 202 `taskAnswer`. */
export type BulkBody = z.infer<typeof bulkBody>;
export const dryRunAnswer = z.object({ count: z.number() });
export const taskAnswer = z.object({ task: z.string() });
