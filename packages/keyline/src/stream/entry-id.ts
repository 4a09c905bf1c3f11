import { KeylineError } from "../runtime/errors.ts";

const idPattern = /^\d{1,15}-\d{1,20}$/;
const largest = (1n << 64n) - 1n;

/** A place in a stream, as callers name it: the id of an entry, or a time. */
export type Place = string | number | Date;

/** True for an id as Valkey writes it: milliseconds, a dash, and a number within the millisecond. */
export function isEntryId(id: string): boolean {
  return idPattern.test(id) && BigInt(id.slice(id.indexOf("-") + 1)) <= largest;
}

/** The milliseconds since 1970 in an id. */
export function timeOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}

/** Below zero when `a` comes before `b`, above when behind, zero when they are the same. */
export function compareIds(a: string, b: string): number {
  if (a === b) return 0;
  const aTime = timeOf(a);
  const bTime = timeOf(b);
  if (aTime !== bTime) return aTime - bTime;
  const aNumber = a.slice(a.indexOf("-") + 1);
  const bNumber = b.slice(b.indexOf("-") + 1);
  // Up to 64 bits wide, and never with leading zeros: the longer one is the larger one.
  if (aNumber.length !== bNumber.length) return aNumber.length - bNumber.length;
  return aNumber < bNumber ? -1 : 1;
}

/**
 * The id that a place stands for: an id itself; the first or the last possible id of a millisecond; "-" and "+" for the ends. Throws
 * INVALID_ID.
 */
export function toEntryId(option: string, place: Place, edge: "first" | "last"): string {
  if (place === "-") return "0-0";
  if (place === "+") return lastId;
  if (typeof place === "string" && isEntryId(place)) return place;
  const ms = place instanceof Date ? place.getTime() : typeof place === "string" && /^\d{1,15}$/.test(place) ? Number(place) : place;
  if (typeof ms === "number" && Number.isSafeInteger(ms) && ms >= 0 && ms < 1e15) {
    return edge === "first" ? `${ms}-0` : `${ms}-${largestNumber}`;
  }
  throw new KeylineError(
    "INVALID_ID",
    `${option} must be an entry's id (such as "1526919030474-0"), a Date, milliseconds since 1970, "-" or "+", not ${JSON.stringify(place)}`,
  );
}

const largestNumber = "18446744073709551615";
/** Behind every id that there will be. */
export const lastId = `999999999999999-${largestNumber}`;

/** The id right before this one; 0-0, which nothing has, is before itself. */
export function idBefore(id: string): string {
  const dash = id.indexOf("-");
  const number = BigInt(id.slice(dash + 1));
  if (number > 0n) return `${id.slice(0, dash)}-${number - 1n}`;
  const ms = Number(id.slice(0, dash));
  return ms === 0 ? id : `${ms - 1}-${largestNumber}`;
}
