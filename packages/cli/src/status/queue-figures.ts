import type { KnownStatus, QueueRates } from "keyline";

/** How many jobs a queue has, as far as that is known now. */
export interface QueueFigures {
  readonly counts: Pick<KnownStatus, "waiting" | "blocked" | "running" | "scheduled" | "parked" | "dead"> | undefined;
  /** Both stores had their say, and just now. */
  readonly isComplete: boolean;
}

/** While its record is away Valkey still has what workers wrote down of its dead letters a minute ago. */
export function queueFigures(counts: KnownStatus | undefined, rates: QueueRates | undefined): QueueFigures {
  const sample = rates?.minutes.findLast(({ depth }) => depth !== undefined)?.depth;
  if (!counts) return { counts: sample && { parked: 0, ...sample }, isComplete: false };
  if (counts.dead === undefined) return { counts: { ...counts, dead: sample?.dead }, isComplete: false };
  return { counts, isComplete: !counts.isFromRows && rates !== undefined };
}
