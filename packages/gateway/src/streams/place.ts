import { Problem } from "../server/problem.ts";

const numberPattern = /^(?:0|[1-9]\d{0,19})$/;
const largestNumber = 18_446_744_073_709_551_615n;
const timePattern = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/**
 * The place in a stream that a client named, as Keyline takes it: an id, milliseconds since 1970, "-" or "+". A time may also come in ISO
 * 8601, with its zone or as a day. Throws a 400 problem.
 */
export function parseStreamPlace(option: string, given: string | number): string {
  // A plus sign that was not escaped arrives as a space.
  const text = String(given).replace(" ", "+");
  if (text === "-" || text === "+" || isTimeOrId(text)) return text;
  const ms = timePattern.test(text) ? Date.parse(text) : NaN;
  if (ms >= 0) return String(ms);
  throw new Problem({
    title: `${option} is no place in a stream`,
    status: 400,
    code: "INVALID_ID",
    detail: 'Give an id that was received, milliseconds since 1970, a time such as 2026-01-31T12:00:00Z, or "-" for the beginning',
  });
}

// Valkey's numbers have 64 bits: it would refuse a larger one with an error of its own.
function isTimeOrId(text: string): boolean {
  const numbers = text.split("-");
  return numbers.length <= 2 && numbers.every((number) => numberPattern.test(number) && BigInt(number) <= largestNumber);
}
