import type { HeldRow } from "../settle/settlement.ts";

/** Which attempt it is, as the functions of the schema take it: below zero one that has the data of its element, which is not to end a job that was changed since (`keyline.is_held`). */
export function countOf({ attempts, hasRowData }: HeldRow): number {
  return hasRowData ? attempts : -1 - attempts;
}

/** Of two elements of one job, as an older memory of Valkey leads to: whether the second one's attempt is likelier to count. */
export function isBehind(one: HeldRow, other: HeldRow): boolean {
  if (one.attempts !== other.attempts) return one.attempts < other.attempts;
  return !one.hasRowData && other.hasRowData === true;
}
