import { KeylineError } from "../runtime/errors.ts";

/** A place in a stream, as callers name it: the id of an entry, or a time. */
export type Place = string | number | Date;

const idPattern = /^\d{1,20}-\d{1,20}$/;
/** Both numbers of an id have 64 bits. */
const largest = (1n << 64n) - 1n;
/** The last id of all. An entry may have it. */
export const lastId = `${largest}-${largest}`;

/** True for an id as Valkey takes it: milliseconds, a dash, and a number within the millisecond. */
export function isEntryId(id: string): boolean {
  return idPattern.test(id) && id.split("-").every((number) => BigInt(number) <= largest);
}

/** The milliseconds since 1970 in an id, or what somebody else put there: above 2^53 not exactly. */
export function timeOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}

/** Below zero when `a` comes before `b`, above when behind, zero when they are the same. */
export function compareIds(a: string, b: string): number {
  if (a === b) return 0;
  const aDash = a.indexOf("-");
  const bDash = b.indexOf("-");
  return compareNumbers(a.slice(0, aDash), b.slice(0, bDash)) || compareNumbers(a.slice(aDash + 1), b.slice(bDash + 1));
}

// As text: a number of JavaScript's holds 53 bits. Never with leading zeros, so the longer one is the larger one.
function compareNumbers(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
}

/**
 * The id that a place stands for: an id itself; the first or the last possible id of a millisecond; "-" and "+" for the ends. Throws
 * INVALID_ID.
 */
export function toEntryId(option: string, place: Place, edge: "first" | "last"): string {
  if (place === "-") return "0-0";
  if (place === "+") return lastId;
  if (typeof place === "string" && isEntryId(place)) return place.split("-").map(BigInt).join("-");
  const ms = toMilliseconds(place);
  if (ms !== undefined) return edge === "first" ? `${ms}-0` : `${ms}-${largest}`;
  throw new KeylineError(
    "INVALID_ID",
    `${option} must be an entry's id (such as "1526919030474-0"), a Date, milliseconds since 1970, "-" or "+", not ${JSON.stringify(place)}`,
  );
}

function toMilliseconds(place: Place): bigint | undefined {
  if (typeof place === "string") return /^\d{1,20}$/.test(place) && BigInt(place) <= largest ? BigInt(place) : undefined;
  const ms = place instanceof Date ? place.getTime() : place;
  return Number.isSafeInteger(ms) && ms >= 0 ? BigInt(ms) : undefined;
}

/** The id right before this one; 0-0, which nothing has, is before itself. */
export function idBefore(id: string): string {
  const [ms = 0n, number = 0n] = id.split("-").map(BigInt);
  if (number > 0n) return `${ms}-${number - 1n}`;
  return ms === 0n ? id : `${ms - 1n}-${largest}`;
}
