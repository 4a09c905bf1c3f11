import type { Durations as KeylineDurations, RateCounts, RateSpan } from "keyline";
import type { Durations } from "../api/basics.ts";
import type { SparkPoint } from "../api/overview.ts";

const rateMinutes = 5;

export function toDurations({ count, p50, p95, p99 }: KeylineDurations): Durations {
  return { count, p50: p50 ?? null, p95: p95 ?? null, p99: p99 ?? null };
}

/** How many a minute there were, over the last five that are over. */
export function perMinute<Minute>(minutes: readonly Minute[], of: (minute: Minute) => number): number {
  const over = lastOver(minutes);
  return over.length === 0 ? 0 : over.reduce((sum, minute) => sum + of(minute), 0) / over.length;
}

/** The last minutes that are over. The present one has just begun, and counts are a few seconds late. */
export function lastOver<Minute>(minutes: readonly Minute[], count = rateMinutes): readonly Minute[] {
  return minutes.slice(-count - 1, -1);
}

/** What has left the queue. */
export function gone({ completed, dead, cancelled }: RateCounts): number {
  return completed + dead + cancelled;
}

export function toSpark(minutes: readonly RateSpan[]): SparkPoint[] {
  return minutes.map((minute) => ({ at: minute.at, in: minute.added, out: minute.completed, failed: minute.failed }));
}
