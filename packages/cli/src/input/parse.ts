import { InvalidArgumentError } from "commander";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A whole number of at least 1. */
export function count(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("It must be a whole number of at least 1.");
}

/** Milliseconds of a length of time such as 250ms, 30s, 5m, 2h, 7d. */
export function duration(text: string): number {
  const ms = durationOf(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError("It must be a length of time such as 250ms, 30s, 5m, 2h or 7d.");
}

/** Milliseconds since 1970 of a time that has passed: a date, milliseconds since 1970, or how long ago it is. */
export function time(text: string): number {
  const ago = durationOf(text);
  const at = ago === undefined ? pointOf(text) : Date.now() - ago;
  if (at !== undefined) return at;
  throw new InvalidArgumentError("It must be a date such as 2026-11-29T08:00:00Z, milliseconds since 1970, or how long ago, such as 2h.");
}

/** Milliseconds since 1970 of any time. */
export function point(text: string): number {
  const at = pointOf(text);
  if (at !== undefined) return at;
  throw new InvalidArgumentError("It must be a date such as 2026-11-29T08:00:00Z, or milliseconds since 1970.");
}

/** A place in a stream: an id, -, +, or a time as above. */
export function place(text: string): string | number {
  if (text === "-" || text === "+" || /^\d{1,20}(?:-\d{1,20})?$/.test(text)) return text;
  try {
    return time(text);
  } catch {
    throw new InvalidArgumentError("It must be an entry's id, a date, how long ago (2h), - for the beginning or + for the end.");
  }
}

/** At most `max` in `per` milliseconds, as in 100/s or 20/5m. */
export function rateOrNone(text: string): { readonly max: number; readonly per: number } | "none" {
  if (text === "none") return text;
  const [max = "", per = ""] = text.split("/");
  const perMs = durationOf(/^\d/.test(per) ? per : `1${per}`);
  if (/^\d+$/.test(max) && Number(max) > 0 && perMs) return { max: Number(max), per: perMs };
  throw new InvalidArgumentError('It must be a number a time, such as 100/s or 20/5m, or "none".');
}

/** A whole number. */
export function countOrNone(text: string): number | "none" {
  if (text === "none") return text;
  try {
    return count(text);
  } catch {
    throw new InvalidArgumentError('It must be a whole number of at least 1, or "none".');
  }
}

function durationOf(text: string): number | undefined {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return number === undefined ? undefined : Math.round(Number(number) * (unitMs[unit] ?? 1));
}

function pointOf(text: string): number | undefined {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  const at = /^\d{4}-\d\d/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : at;
}
