import type { CountedSpan, Counts } from "../../valkey/figures/figure-log.ts";
import type { RateRange } from "../../figures/figures.ts";

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
  /** Those of them behind which the job is tried again. */
  readonly retried: number;
  /** Jobs that became dead letters. */
  readonly dead: number;
  readonly cancelled: number;
  /** Times that a worker lost its lease, as it did not answer: what it held was run again elsewhere. */
  readonly leasesLost: number;
  /** Jobs that were taken back from workers that were gone, to be run again. */
  readonly rescued: number;
  /** Attempts that came to nothing, as the job was another worker's by then. */
  readonly overtaken: number;
  /** How long attempts ran. */
  readonly run: Durations;
  /** How long jobs had waited when their first attempt began: since they were added, or since they were due. */
  readonly wait: Durations;
}

/** How many jobs there were when somebody looked. */
export interface Depth {
  readonly waiting: number;
  readonly running: number;
  readonly scheduled: number;
  readonly blocked: number;
  readonly dead: number;
}

/** A minute, or an hour. */
export interface RateSpan extends RateCounts {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  /** How much there was, at a look in the minute; of an hour the look at which most jobs waited. Undefined where nobody looked, or the queue had no jobs for long. */
  readonly depth: Depth | undefined;
  /** For how many milliseconds the job that was next to be taken had waited then. */
  readonly oldestWaitingMs: number | undefined;
}

export interface QueueRates {
  /** Oldest first; the last one is not over yet. Empty where hours were asked for. */
  readonly minutes: readonly RateSpan[];
  /** The same of hours. */
  readonly hours: readonly RateSpan[];
  /** All of them together. */
  readonly total: RateCounts;
}

export function toRates(spans: readonly CountedSpan[], { unit }: RateRange): QueueRates {
  const total = new Map<string, number>();
  for (const { counts } of spans) for (const [name, count] of counts) total.set(name, (total.get(name) ?? 0) + count);
  const found = spans.map(({ at, counts, depth }) => ({ at, ...toCounts(counts), ...toDepth(depth) }));
  return { minutes: unit === "minutes" ? found : [], hours: unit === "hours" ? found : [], total: toCounts(total) };
}

function toDepth(sample: string | undefined): Pick<RateSpan, "depth" | "oldestWaitingMs"> {
  if (sample === undefined) return { depth: undefined, oldestWaitingMs: undefined };
  const [waiting = 0, running = 0, scheduled = 0, blocked = 0, dead = 0, age = NaN] = sample.split(" ").map(Number);
  return { depth: { waiting, running, scheduled, blocked, dead }, oldestWaitingMs: Number.isNaN(age) ? undefined : age };
}

function toCounts(counts: Counts): RateCounts {
  const of = (name: string): number => counts.get(name) ?? 0;
  return {
    added: of("added"),
    completed: of("completed"),
    failed: of("failed"),
    retried: of("retried"),
    dead: of("dead"),
    cancelled: of("cancelled"),
    leasesLost: of("leasesLost"),
    rescued: of("rescued"),
    overtaken: of("overtaken"),
    run: toDurations(counts, "r"),
    wait: toDurations(counts, "w"),
  };
}

function toDurations(counts: Counts, letter: "r" | "w"): Durations {
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
