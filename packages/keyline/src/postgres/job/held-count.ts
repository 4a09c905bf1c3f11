import type { HeldRow } from "../settle/settlement.ts";

/**
 * Which attempt it is, as the functions of the schema take it (`keyline.is_held`). Below zero it has the data of its element, and is not to end a job that was changed since; else how often the job
 * had been changed when the row was asked stands above the lower 32 bits, plus 1.
 */
export function countOf({ attempts, changes }: HeldRow): number | bigint {
  return changes === undefined ? -1 - attempts : (BigInt(changes + 1) << 32n) | BigInt(attempts);
}

/** Of two elements of one job, as an older memory of Valkey leads to: whether the second one's attempt is likelier to count. */
export function isBehind(one: HeldRow, other: HeldRow): boolean {
  if (one.attempts !== other.attempts) return one.attempts < other.attempts;
  return (one.changes ?? -1) < (other.changes ?? -1);
}
