import { z } from "zod";

/** Milliseconds since 1970. */
export const time = z.number();

/** What a payload is shown as: hidden fields are replaced already. */
export const payload = z.object({
  /** Of its JSON, before anything was hidden. */
  bytes: z.number(),
  /** The beginning of its JSON, up to 240 characters. */
  preview: z.string(),
  /** All of it, unless `isWhole` is false: lists leave out what is above 4 KiB. */
  data: z.unknown(),
  isWhole: z.boolean(),
});
export type Payload = z.infer<typeof payload>;

/** How long something took, in milliseconds. */
export const durations = z.object({
  count: z.number(),
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
});
export type Durations = z.infer<typeof durations>;

/** What was done in vain, or taken from who did not end it: leases that were lost, what was taken back from processes that were gone, and attempts that came to nothing. */
export const losses = z.object({ leases: z.number(), rescued: z.number(), overtaken: z.number() });
export type Losses = z.infer<typeof losses>;

/** Something that is not as it should be: its cause in words, and what can be done. */
export const problem = z.object({
  code: z.string(),
  severity: z.enum(["critical", "warning"]),
  text: z.string(),
  action: z.string(),
});
export type Problem = z.infer<typeof problem>;

/** The answer to a request that failed: application/problem+json. Branch on `code`. */
export const failure = z.object({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string().optional(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Failure = z.infer<typeof failure>;

/** The cursor of the next page; null on the last. */
export const next = z.string().nullable();

const pageLimit = z.coerce.number().int().min(1).max(200).default(50);
/** What all lists can be asked for. */
export const pageQuery = { cursor: z.string().max(65_536).optional(), limit: pageLimit };
