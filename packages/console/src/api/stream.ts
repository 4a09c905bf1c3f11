import { z } from "zod";
import { losses, next, pageQuery, payload, problem, time } from "./basics.ts";
import { stores } from "./health.ts";
import { sparkPoint } from "./overview.ts";

export const streamGroup = z.object({
  name: z.string(),
  /** Not handed out yet. */
  lag: z.number().nullable(),
  /** Handed out, and not ended. */
  pending: z.number(),
  oldestPendingAt: time.nullable(),
  retrying: z.number(),
  dead: z.number(),
  lost: z.number(),
  lastSeenAt: time.nullable(),
  consumers: z.array(
    z.object({
      id: z.string(),
      host: z.string().nullable(),
      pid: z.number().nullable(),
      version: z.string().nullable(),
      concurrency: z.number().nullable(),
      startedAt: time.nullable(),
      running: z.number(),
    }),
  ),
  consumerCount: z.number(),
});
export type StreamGroup = z.infer<typeof streamGroup>;

/** `GET streams/:stream`, and with `entries` the topic `stream:NAME`. */
export const streamView = z.object({
  at: time,
  stores,
  name: z.string(),
  transactional: z.boolean(),
  hasKeys: z.boolean(),
  length: z.number().nullable(),
  firstId: z.string().nullable(),
  lastId: z.string().nullable(),
  groups: z.array(streamGroup).nullable(),
  /** A minute, over the last five that are over. */
  rates: z.object({ appended: z.number(), consumed: z.number(), failed: z.number(), dead: z.number() }).nullable(),
  /** Of the last hour, of all groups. */
  losses: losses.nullable(),
  spark: z.array(sparkPoint),
  problems: z.array(problem),
});
export type StreamView = z.infer<typeof streamView>;

export const entryRow = z.object({ id: z.string(), at: time, key: z.string().nullable(), payload });
export type EntryRow = z.infer<typeof entryRow>;

export const entriesQuery = z.object({
  ...pageQuery,
  /** An id, or milliseconds since 1970. */
  from: z.string().max(50).optional(),
  /** The newest first. */
  reverse: z.enum(["true", "false"]).optional(),
  key: z.string().min(1).max(200).optional(),
  /** From this time on: milliseconds since 1970. */
  at: z.coerce.number().optional(),
});

/** `GET streams/:stream/entries?from&at&reverse&key&cursor&limit`. `from=ID&limit=1` has its payload whole, whatever its size. */
export const entriesPage = z.object({ entries: z.array(entryRow), next });
export type EntriesPage = z.infer<typeof entriesPage>;

export const groupLetterRow = z.object({
  id: z.string(),
  key: z.string().nullable(),
  reason: z.string(),
  attempts: z.number(),
  at: time,
  payload,
});
export type GroupLetterRow = z.infer<typeof groupLetterRow>;
export const groupLettersQuery = z.object(pageQuery);
/** `GET streams/:stream/groups/:group/letters?cursor&limit`; `GET streams/:stream/groups/:group` is a `streamGroup`. */
export const groupLettersPage = z.object({ letters: z.array(groupLetterRow), next });
export type GroupLettersPage = z.infer<typeof groupLettersPage>;

/** `POST streams/:stream/groups/:group/redrive` and `/discard`: these, which answers `{ count }`, or all of them, which answers 202 `taskAnswer`, or `{ count }` where it is a dry run. */
export const groupLettersBody = z
  .strictObject({ ids: z.array(z.string()).min(1).max(10_000).optional(), all: z.literal(true).optional(), dryRun: z.boolean().optional() })
  .refine(({ ids, all }) => (ids === undefined) !== (all === undefined), "ids or all, one of the two")
  .refine(({ ids, dryRun }) => ids === undefined || !dryRun, "a dry run counts all");
export type GroupLettersBody = z.infer<typeof groupLettersBody>;

/** `POST streams/:stream/groups/:group/reset`; `confirm` is the group's name. Answers `{ done: true }`. */
export const resetBody = z.strictObject({
  confirm: z.string(),
  /** `start`, `end`, an entry's id, or milliseconds since 1970. */
  to: z.union([z.literal("start"), z.literal("end"), z.string().regex(/^\d{1,20}-\d{1,20}$/), z.number().int().min(0)]),
});
export type ResetBody = z.infer<typeof resetBody>;
/** `POST streams/:stream/groups/:group/remove`; `confirm` is the group's name. Answers `{ done: true }`. */
export const removeBody = z.strictObject({ confirm: z.string() });
export const doneAnswer = z.object({ done: z.literal(true) });

/** `POST streams/:stream/append`. Answers `{ id, appended }`. */
export const appendBody = z.strictObject({ data: z.unknown() });
export const appendAnswer = z.object({ id: z.string(), appended: z.boolean() });
