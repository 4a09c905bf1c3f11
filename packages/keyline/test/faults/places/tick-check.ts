import { specs, type ScheduleName } from "./operations.ts";

/** A schedule from its declaration until it was over or taken away, and when that was, in milliseconds since 1970. */
export interface Ticking {
  readonly schedule: ScheduleName;
  /** Declared anew after it was taken away: another one. */
  readonly generation: number;
  removedAt: number | undefined;
}

/** The name that the ticks of it have as a group. */
export const ticksOf = ({ schedule, generation }: Ticking): string => `tick:${schedule}:${generation}`;

/** Each tick once: none is missing between two others, none is there twice, and there are as many as there are to be. */
export function checkTicks(ticking: Ticking, ticks: readonly number[]): string[] {
  const { limit, step } = specs[ticking.schedule];
  const at = ticks.toSorted((one, other) => one - other);
  const violations = at.flatMap((tick, index) => {
    const before = at[index - 1];
    if (before === undefined || tick === before + step) return [];
    return [`${ticksOf(ticking)}: ${tick} comes ${tick - before} ms after the tick before it, not ${step}`];
  });
  if (limit !== undefined && at.length !== limit) violations.push(`${ticksOf(ticking)}: ${at.length} ticks, not ${limit}`);
  const { removedAt = Infinity } = ticking;
  if ((at.at(-1) ?? 0) > removedAt) violations.push(`${ticksOf(ticking)}: a tick at ${at.at(-1)}, after it was taken away at ${removedAt}`);
  return violations;
}
