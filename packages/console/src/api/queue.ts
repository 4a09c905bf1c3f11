import { z } from "zod";
import { durations, losses, problem, time } from "./basics.ts";
import { stores } from "./health.ts";

export const queueCounts = z.object({
  waiting: z.number(),
  blocked: z.number(),
  running: z.number(),
  /** With those that are parked, where that is null. */
  scheduled: z.number(),
  /** Null, like the next two, on a transactional queue while PostgreSQL is away: these are rows. */
  parked: z.number().nullable(),
  dead: z.number().nullable(),
  /** Dead letters that were dropped so far. */
  dropped: z.number().nullable(),
  /** Valkey is away, and these are rows: what runs is among those that wait, and none is known to stand in the line of a group. */
  isFromRows: z.boolean(),
});
export type QueueCounts = z.infer<typeof queueCounts>;

export const workerView = z.object({
  id: z.string(),
  host: z.string().nullable(),
  pid: z.number().nullable(),
  version: z.string().nullable(),
  concurrency: z.number().nullable(),
  startedAt: time.nullable(),
  running: z.number(),
  /** Those that have run for longest: 20 at the most. */
  jobs: z.array(z.object({ id: z.string(), attempt: z.number(), startedAt: time })),
});
export type WorkerView = z.infer<typeof workerView>;

const rate = z.object({ max: z.number(), per: z.number() });
/** Null is no limit. */
export const limits = z.object({
  concurrency: z.number().nullable(),
  rate: rate.nullable(),
  group: z.object({ concurrency: z.number().nullable(), rate: rate.nullable() }),
});
export type Limits = z.infer<typeof limits>;

/** `GET queues/:queue`, and the topic `queue:NAME`. What a store that is away would have to say is null. */
export const queueView = z.object({
  at: time,
  stores,
  name: z.string(),
  transactional: z.boolean(),
  paused: z.boolean(),
  counts: queueCounts.nullable(),
  oldestWaitingMs: z.number().nullable(),
  /** A minute, over the last five that are over. */
  rates: z.object({ added: z.number(), completed: z.number(), failed: z.number(), dead: z.number(), cancelled: z.number() }).nullable(),
  /** Of the last hour. */
  run: durations.nullable(),
  wait: durations.nullable(),
  /** Of the last hour. */
  losses: losses.nullable(),
  limits: limits.nullable(),
  workers: z.array(workerView).nullable(),
  schedules: z.number().nullable(),
  problems: z.array(problem),
});
export type QueueView = z.infer<typeof queueView>;

/** `GET queues/:queue/stores`: how many open jobs each store has. Null is what is not known now, and all but `valkey` on a plain queue. It counts: ask when a person looks. */
export const queueStores = z.object({
  valkey: z.number().nullable(),
  postgres: z.number().nullable(),
  /** Rows that nobody is known to have brought to Valkey, up to 10,000. */
  undelivered: z.number().nullable(),
  /** How many more PostgreSQL has. Around 0 on a busy queue, as the two are not counted at the same moment. */
  difference: z.number().nullable(),
});
export type QueueStores = z.infer<typeof queueStores>;

export const ratesQuery = z
  .object({
    minutes: z.coerce.number().int().min(1).max(1_440).optional(),
    hours: z.coerce.number().int().min(1).max(2_160).optional(),
  })
  .refine(({ minutes, hours }) => minutes === undefined || hours === undefined, "minutes or hours, one of the two");

export const ratePoint = z.object({
  at: time,
  added: z.number(),
  completed: z.number(),
  failed: z.number(),
  dead: z.number(),
  cancelled: z.number(),
  run: durations,
  wait: durations,
  /** As it was once in this time; null where nobody looked. */
  depth: z.object({ waiting: z.number(), running: z.number(), scheduled: z.number(), blocked: z.number(), dead: z.number() }).nullable(),
  oldestWaitingMs: z.number().nullable(),
});
export type RatePoint = z.infer<typeof ratePoint>;

const bucket = z.object({ belowMs: z.number(), count: z.number() });

/** `GET queues/:queue/rates?minutes|hours`: the last 60 minutes, unless it says otherwise. */
export const queueRates = z.object({
  unit: z.enum(["minute", "hour"]),
  /** Oldest first; the last one is not over yet. */
  points: z.array(ratePoint),
  total: z.object({
    added: z.number(),
    completed: z.number(),
    failed: z.number(),
    dead: z.number(),
    cancelled: z.number(),
    run: durations.extend({ buckets: z.array(bucket) }),
    wait: durations.extend({ buckets: z.array(bucket) }),
  }),
});
export type QueueRates = z.infer<typeof queueRates>;

const rateChange = z.strictObject({ max: z.number().int().min(1), per: z.number().int().min(1) }).nullable();
const concurrencyChange = z.number().int().min(1).nullable();
/** `POST queues/:queue/limits`: what is left out stays, null takes a limit away. Answers with the limits that are in force: `limits`. */
export const limitsBody = z.strictObject({
  concurrency: concurrencyChange.optional(),
  rate: rateChange.optional(),
  group: z.strictObject({ concurrency: concurrencyChange.optional(), rate: rateChange.optional() }).nullable().optional(),
});
export type LimitsBody = z.infer<typeof limitsBody>;

/** `POST queues/:queue/pause` and `/resume`: all of it, or one group. Answers `{ paused }`. */
export const pauseBody = z.strictObject({ group: z.string().min(1).max(200).optional() });
export type PauseBody = z.infer<typeof pauseBody>;
export const pauseAnswer = z.object({ paused: z.boolean() });

/** `POST queues/:queue/add`. Answers `{ id, added }`. */
export const addBody = z.strictObject({
  data: z.unknown(),
  delay: z.number().int().min(0).optional(),
  priority: z.enum(["high", "normal", "low"]).optional(),
  group: z.string().min(1).max(200).optional(),
});
export type AddBody = z.infer<typeof addBody>;
export const addAnswer = z.object({ id: z.string(), added: z.boolean() });
