import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import type { CountedMinute } from "../../valkey/queue/rates.ts";

export interface RatesOptions {
  /** How many minutes, the present one included; up to 1,440. Default 60. */
  readonly minutes?: number;
}

/** How long something took, in milliseconds. It is counted by powers of two, so each number is the upper end of what it may be; undefined where nothing was counted. */
export interface Durations {
  readonly count: number;
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
  /** How many took less than so many milliseconds, and not less than half of that. */
  readonly buckets: readonly { readonly belowMs: number; readonly count: number }[];
}

/** What was done in a time. */
export interface RateCounts {
  readonly added: number;
  readonly completed: number;
  /** Attempts that failed, the last one of a job that died included. */
  readonly failed: number;
  /** Jobs that became dead letters. */
  readonly dead: number;
  /** How long attempts ran. */
  readonly run: Durations;
  /** How long jobs had been there when their first attempt began, delays included. */
  readonly wait: Durations;
}

export interface RateMinute extends RateCounts {
  /** When the minute began, in milliseconds since 1970. */
  readonly at: number;
}

export interface QueueRates {
  /** Oldest first; the last one is not over yet. */
  readonly minutes: readonly RateMinute[];
  /** All of them together. */
  readonly total: RateCounts;
}

const names = new Set<string>(["minutes"] satisfies (keyof RatesOptions)[]);

/** Throws INVALID_OPTION. */
export function checkRates(options: RatesOptions): number {
  checkOptionNames("rates", options, names);
  return checkInteger("minutes", options.minutes ?? 60, { min: 1, max: 1_440 });
}

export function toRates(minutes: readonly CountedMinute[]): QueueRates {
  const total = new Map<string, number>();
  for (const { counts } of minutes) for (const [name, count] of counts) total.set(name, (total.get(name) ?? 0) + count);
  return { minutes: minutes.map(({ minute, counts }) => ({ at: minute * 60_000, ...toCounts(counts) })), total: toCounts(total) };
}

function toCounts(counts: ReadonlyMap<string, number>): RateCounts {
  const of = (name: string): number => counts.get(name) ?? 0;
  return {
    added: of("added"),
    completed: of("completed"),
    failed: of("failed"),
    dead: of("dead"),
    run: toDurations(counts, "r"),
    wait: toDurations(counts, "w"),
  };
}

function toDurations(counts: ReadonlyMap<string, number>, letter: "r" | "w"): Durations {
  const buckets = [...counts]
    .filter(([name]) => name.startsWith(letter) && /^\d+$/.test(name.slice(1)))
    .map(([name, count]) => ({ belowMs: 2 ** Number(name.slice(1)), count }))
    .toSorted((one, other) => one.belowMs - other.belowMs);
  const count = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const percentile = (share: number): number | undefined => {
    let seen = 0;
    return buckets.find((bucket) => (seen += bucket.count) >= count * share)?.belowMs;
  };
  return { count, p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99), buckets };
}
