import type { Durations, QueueRates as KeylineRates, RateSpan } from "keyline";
import type { QueueRates, RatePoint } from "../api/queue.ts";
import { toDurations } from "./counted.ts";

/** What was counted, as the page draws it. */
export function toQueueRates(rates: KeylineRates, unit: QueueRates["unit"]): QueueRates {
  const { hours, minutes, total } = rates;
  return {
    unit,
    points: (unit === "hour" ? hours : minutes).map(toPoint),
    total: {
      added: total.added,
      completed: total.completed,
      failed: total.failed,
      dead: total.dead,
      cancelled: total.cancelled,
      run: withBuckets(total.run),
      wait: withBuckets(total.wait),
    },
  };
}

function toPoint({ at, added, completed, failed, dead, cancelled, run, wait, depth, oldestWaitingMs }: RateSpan): RatePoint {
  return {
    at,
    added,
    completed,
    failed,
    dead,
    cancelled,
    run: toDurations(run),
    wait: toDurations(wait),
    depth: depth ? { ...depth } : null,
    oldestWaitingMs: oldestWaitingMs ?? null,
  };
}

function withBuckets(durations: Durations): QueueRates["total"]["run"] {
  return { ...toDurations(durations), buckets: durations.buckets.map(({ belowMs, count }) => ({ belowMs, count })) };
}
