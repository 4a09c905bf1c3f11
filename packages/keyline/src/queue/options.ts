import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TransactionClient } from "../postgres/client/options.ts";
import { toBackoffFunction, type Backoff, type BackoffFunction } from "../runtime/backoff.ts";
import { gatesOf, type Limits, type Rate } from "./gates/limits.ts";
import { KeylineError } from "../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../runtime/options.ts";
import { checkSchema } from "../runtime/schema.ts";
import type { LetterRetention } from "../valkey/queue/letters.ts";

export interface QueueOptions<Input = unknown, Output = Input, Transactional extends boolean = boolean> {
  /** Checks data where it is added and where it is taken; anything that implements Standard Schema. */
  readonly schema?: StandardSchemaV1<Input, Output>;
  /** Jobs are rows in PostgreSQL until they are settled. Default false. */
  readonly transactional?: Transactional;
  /** Attempts before a job becomes a dead letter. Default 10. */
  readonly maxAttempts?: number;
  /** Default exponential from one second to one hour, a fifth of it left to chance. */
  readonly backoff?: Backoff;
  /** Milliseconds after which the jobs of a worker that does not answer are given to others. Default 10,000. */
  readonly lease?: number;
  /** The largest payload as JSON. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  /** The same as `setLimits`, called before the first job is taken. */
  readonly limits?: Limits;
  /** The same as `limits: { rate }`. */
  readonly rateLimit?: Rate;
  /** How many dead letters are kept, and for how long. Default 100,000, for 30 days. */
  readonly deadLetters?: DeadLetterRetention;
  /** Milliseconds for which the results of jobs are kept, for `waitFor`; up to a year. Default: they are not. */
  readonly keepResult?: number;
}

/** What goes beyond either is dropped, oldest first, and counted as `dropped` of `counts()`. */
export interface DeadLetterRetention {
  /** Default 100,000. */
  readonly maxLength?: number;
  /** Milliseconds since the death. Default 30 days. */
  readonly maxAge?: number;
}

export interface AddOptions {
  /** The caller's own id. A second add with an id that is still known (its job is not settled) adds nothing and says so. */
  readonly id?: string;
  /** Instead of the queue's. */
  readonly maxAttempts?: number;
  /** Milliseconds from now on in which it does not run, by the server's clock; up to ten years. Not with `runAt`. */
  readonly delay?: number;
  /** When it is to run at the earliest: a Date, or milliseconds since 1970. A time that has passed is now. Not with `delay`. */
  readonly runAt?: Date | number;
  /** Which of those that wait is taken first. Default `normal`. */
  readonly priority?: Priority;
  /**
   * Jobs of one group run one at a time, in the order in which they were added, also through retries, snoozes and delays; groups take turns. Up
   * to 200 characters without control characters, quotation marks and backslashes.
   */
  readonly group?: string;
  /** Adds nothing while a job with the same key is there. */
  readonly deduplicate?: Deduplicate;
  /** Milliseconds for which its result is kept, for `waitFor`; 0 for not at all. Default: the queue's. */
  readonly keepResult?: number;
}

/** Which jobs are one and the same: those with the same key, in the same form, on the same queue. */
export type Deduplicate =
  /** Not while one with this key waits, is scheduled or runs. */
  | { readonly key: string; readonly window?: undefined; readonly keep?: undefined }
  /** Not for `window` milliseconds after one with this key was added, whatever became of it. */
  | { readonly key: string; readonly window: number; readonly keep?: undefined }
  /**
   * A debounce: it runs `window` milliseconds after the last add, with the data of that one. Everything else about it, such as its id and its group, is
   * as it was first added. Not with `delay` and `runAt`.
   */
  | { readonly key: string; readonly window: number; readonly keep: "latest" };

export type Priority = "high" | "normal" | "low";

/** A job that is added below another one. */
export interface Child {
  /** As `keyline.queue` returns it: of the same Keyline, and of the same kind as its parent's. In an isolate it is given by its name, and is one of the worker's Keyline. */
  readonly queue: { readonly name: string };
  readonly data: unknown;
  /** As for `add`, without `tx` and `deduplicate`; it may have children itself. */
  readonly options?: Omit<AddOptions, "deduplicate"> & FamilyOptions;
}

export interface FamilyOptions {
  /**
   * Jobs that are added together with this one, all of them or none, which then waits until they have ended, and is given what they came to: `job.children()`. Up to 200,000 jobs of any
   * depth. Not with `delay`, `runAt`, `group` and `deduplicate` of the parent.
   */
  readonly children?: readonly Child[];
  /** What the death of a child does: "die" (the default) makes the parent a dead letter, "ignore" and "value" count it as an end, which `job.children()` tells. */
  readonly onChildDead?: "die" | "ignore" | "value";
}

export interface TransactionalAddOptions extends AddOptions, FamilyOptions {
  /** A `pg` client inside a transaction: the job is added by its COMMIT, and by nothing else. */
  readonly tx?: TransactionClient;
}

/** `added` is false when the id was known already, or a job with the same key to deduplicate by is there: then `id` is the one of that job. */
export interface AddResult {
  readonly id: string;
  readonly added: boolean;
}

export interface WorkOptions {
  /** Jobs that run at the same time. Default 1. */
  readonly concurrency?: number;
  /** Milliseconds an attempt may take: then `job.signal` is aborted and the attempt has failed. Default: no limit. */
  readonly timeout?: number;
  /** Where a handler runs that is a file: each attempt in a thread, or in a process. One that never returns is ended at its timeout. Default: in this thread. */
  readonly isolate?: "thread" | "process";
}

export interface WorkBatchOptions {
  /** Jobs a call of the handler gets at the most. Default 100. */
  readonly size?: number;
  /** Batches that run at the same time. Default 1. */
  readonly concurrency?: number;
  /** Milliseconds a batch may take: then its jobs' signals are aborted and their attempts have failed. Default: no limit. */
  readonly timeout?: number;
}

/** A queue's rules with every default filled in. */
export interface QueuePolicy {
  readonly maxAttempts: number;
  readonly backoff: BackoffFunction;
  readonly leaseMs: number;
  readonly maxPayloadBytes: number;
  readonly limits: Limits | undefined;
  readonly deadLetters: LetterRetention;
  /** Undefined where results are not kept unless a job says so. */
  readonly keepResultMs: number | undefined;
}

const queueOptionNames = new Set<string>([
  "schema",
  "transactional",
  "maxAttempts",
  "backoff",
  "lease",
  "maxPayloadBytes",
  "limits",
  "rateLimit",
  "deadLetters",
  "keepResult",
] satisfies (keyof QueueOptions)[]);

const retentionNames = new Set<string>(["maxLength", "maxAge"] satisfies (keyof DeadLetterRetention)[]);
const dayMs = 86_400_000;

/** Throws INVALID_OPTION. */
export function toPolicy(options: QueueOptions): QueuePolicy {
  checkOptionNames("queue", options, queueOptionNames);
  checkSchema(options.schema);
  const { maxAttempts = 10, backoff, lease = 10_000, maxPayloadBytes = 1_048_576, deadLetters = {}, keepResult } = options;
  const limits = limitsFrom(options);
  return {
    maxAttempts: checkInteger("maxAttempts", maxAttempts, { min: 1, max: 1_000_000 }),
    backoff: toBackoffFunction(backoff),
    leaseMs: checkInteger("lease", lease, { min: 100, max: 86_400_000 }),
    maxPayloadBytes: checkInteger("maxPayloadBytes", maxPayloadBytes, { min: 1, max: 512 * 1_048_576 }),
    limits,
    deadLetters: toRetention(deadLetters),
    keepResultMs: keepResult === undefined ? undefined : checkKeepResult(keepResult),
  };
}

function limitsFrom({ limits, rateLimit }: QueueOptions): Limits | undefined {
  if (limits !== undefined) gatesOf(limits);
  if (rateLimit === undefined) return limits;
  if (limits?.rate !== undefined) throw new KeylineError("INVALID_OPTION", "rateLimit and limits.rate are the same: give one of them");
  gatesOf({ rate: rateLimit });
  return { ...limits, rate: rateLimit };
}

/** Throws INVALID_OPTION. */
export function checkKeepResult(keepResult: number): number {
  return checkInteger("keepResult", keepResult, { min: 0, max: 366 * dayMs });
}

function toRetention(options: DeadLetterRetention): LetterRetention {
  checkOptionNames("deadLetters", options, retentionNames);
  const { maxLength = 100_000, maxAge = 30 * dayMs } = options;
  return {
    maxLength: checkInteger("deadLetters.maxLength", maxLength, { min: 1, max: 100_000_000 }),
    maxAgeMs: checkInteger("deadLetters.maxAge", maxAge, { min: 1, max: 36_500 * dayMs }),
  };
}
