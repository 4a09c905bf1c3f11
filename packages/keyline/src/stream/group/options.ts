import { toBackoffFunction, type Backoff, type BackoffFunction } from "../../runtime/backoff.ts";
import { checkInteger, checkOptionNames, checkTimeout } from "../../runtime/options.ts";
import { idBefore, toEntryId, type Place } from "../entry-id.ts";

export interface ConsumeOptions {
  /** Entries whose handlers run at the same time in this consumer. Default 1. Of one key, never more than one runs in the whole group. */
  readonly concurrency?: number;
  /**
   * Where a new group begins: "-" (default) with the oldest entry there is, "$" with what is appended from now on, or with an entry's
   * id or a time. A group that exists goes on where it was.
   */
  readonly from?: Place;
  /** Attempts before an entry becomes a dead letter of the group. Default 10. */
  readonly maxAttempts?: number;
  /** Default exponential from one second to one hour, a fifth of it left to chance. */
  readonly backoff?: Backoff;
  /** Milliseconds after which the entries of a consumer that does not answer are given to others. Default 10,000. */
  readonly lease?: number;
  /** Milliseconds an attempt may take: then `entry.signal` is aborted and the attempt has failed. Default: no limit. */
  readonly timeout?: number;
}

/** A consumer's rules with every default filled in. */
export interface ConsumePolicy {
  readonly concurrency: number;
  /** The id after which a new group begins, or "$". */
  readonly start: string;
  readonly maxAttempts: number;
  readonly backoff: BackoffFunction;
  readonly leaseMs: number;
  readonly timeoutMs: number | undefined;
}

const optionNames = new Set<string>([
  "concurrency",
  "from",
  "maxAttempts",
  "backoff",
  "lease",
  "timeout",
] satisfies (keyof ConsumeOptions)[]);

/** Throws INVALID_OPTION, and INVALID_ID for a place that is none. */
export function toPolicy(options: ConsumeOptions): ConsumePolicy {
  checkOptionNames("consume", options, optionNames);
  const { concurrency = 1, from = "-", maxAttempts = 10, backoff, lease = 10_000, timeout } = options;
  checkTimeout(timeout, 1);
  return {
    concurrency: checkInteger("concurrency", concurrency, { min: 1, max: 10_000 }),
    start: from === "$" || from === "+" ? "$" : idBefore(toEntryId("from", from, "first")),
    maxAttempts: checkInteger("maxAttempts", maxAttempts, { min: 1, max: 1_000_000 }),
    backoff: toBackoffFunction(backoff),
    leaseMs: checkInteger("lease", lease, { min: 100, max: 86_400_000 }),
    timeoutMs: timeout,
  };
}
