import type { HeldRow } from "../settle/settlement.ts";

/**
 * Which attempt it is, as the functions of the schema take it (`keyline.is_held`). Below zero it has the data of its element, and is not to end a job that was changed since; else the period in which
 * the row was asked stands above the lower 32 bits, plus 1.
 */
export function countOf({ attempts, period }: HeldRow): number | bigint {
  return period === undefined ? -1 - attempts : (BigInt(period + 1) << 32n) | BigInt(attempts);
}

/** Of two elements of one job, as an older memory of Valkey leads to: whether the second one's attempt is likelier to count. */
export function isBehind(one: HeldRow, other: HeldRow): boolean {
  if (one.attempts !== other.attempts) return one.attempts < other.attempts;
  return (one.period ?? -1) < (other.period ?? -1);
}
