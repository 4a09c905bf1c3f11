import type { QueueRates, QueueStatus } from "keyline";

/** How many jobs a queue has, as far as that is known now. */
export interface QueueFigures {
  readonly counts: Pick<QueueStatus, "waiting" | "blocked" | "running" | "scheduled" | "parked" | "dead"> | undefined;
  /** Both stores had their say, and just now. */
  readonly isComplete: boolean;
}

/** While its record is away Valkey still has what workers wrote down a minute ago. */
export function queueFigures(counts: QueueStatus | undefined, rates: QueueRates | undefined): QueueFigures {
  if (counts) return { counts, isComplete: !counts.isFromRows && rates !== undefined };
  const sample = rates?.minutes.findLast(({ depth }) => depth !== undefined)?.depth;
  return { counts: sample && { parked: 0, ...sample }, isComplete: false };
}
