import { KeylineError } from "../../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import { causeOf } from "./cause.ts";
import type { LetterProgress } from "../../work/letter-progress.ts";
import type { LetterHead } from "./dead-letter.ts";

/** Which dead letters are meant: those that fit everything that is given. */
export interface LetterFilter {
  /** Of these jobs. */
  readonly ids?: readonly string[];
  /** Whose `reason` has this text in it, or matches. */
  readonly error?: string | RegExp;
  /** With this cause, as `deadLetterCauses` tells it. */
  readonly cause?: string;
  /** Of jobs of this group. */
  readonly group?: string;
  /** That died before this time: a Date, or milliseconds since 1970. */
  readonly before?: Date | number;
  /** That died at this time or later. */
  readonly after?: Date | number;
}

export interface DeadLettersOptions extends LetterFilter {
  /** How many at the most. Default: all. */
  readonly limit?: number;
}

/** One of the filters is required, or `all`: nothing empties everything by accident. */
export interface LetterActOptions extends LetterFilter {
  /** All of them, instead of a filter. */
  readonly all?: true;
  /** How many at the most, oldest first. Default: all that fit. */
  readonly limit?: number;
  /** Only counts those that fit: nothing is done to them. */
  readonly dryRun?: boolean;
  /** Called after each page of up to 500; what it returns is awaited. */
  readonly onProgress?: (progress: LetterProgress) => unknown;
  /** Stops between two pages: the call rejects with its reason, and what was done stays done. */
  readonly signal?: AbortSignal;
}

/** A filter as it was checked. Places are microseconds since 1970, both included. */
export interface LetterQuery {
  readonly ids: readonly string[] | undefined;
  readonly first: number;
  readonly last: number;
  readonly limit: number;
  fits(head: LetterHead): boolean;
}

const filterNames = ["ids", "error", "cause", "group", "before", "after"] as const satisfies (keyof LetterFilter)[];
const readNames = new Set<string>([...filterNames, "limit"]);
const actNames = new Set<string>([...filterNames, "all", "limit", "dryRun", "onProgress", "signal"]);
const mostIds = 10_000;
const lastPlace = Number.MAX_SAFE_INTEGER - 1;

export const everyLetter: LetterQuery = { ids: undefined, first: 0, last: lastPlace, limit: Infinity, fits: () => true };

/** Throws INVALID_OPTION. */
export function checkDeadLettersOptions(options: DeadLettersOptions): LetterQuery {
  checkObject("deadLetters", options);
  checkOptionNames("deadLetters", options, readNames);
  return toQuery(options);
}

/** Throws INVALID_OPTION. */
export function checkLetterActOptions(what: "redrive" | "discard", options: LetterActOptions): LetterQuery {
  checkObject(what, options);
  checkOptionNames(what, options, actNames);
  const { all, dryRun, onProgress, signal } = options;
  const given = filterNames.filter((name) => name in options);
  if ("all" in options && (all as unknown) !== true) throw refusal(`all must be true, or left out for a filter, not ${String(all)}`);
  if (all && given.length > 0) throw refusal(`all goes with no filter, and here is ${given.join(", ")}: leave one of them out`);
  if (!all && given.length === 0) {
    throw refusal(`${what} needs to know which dead letters are meant: one of ${filterNames.join(", ")}, or all: true`);
  }
  if (dryRun !== undefined && typeof dryRun !== "boolean") throw refusal(`dryRun must be true or false, not ${String(dryRun)}`);
  if (onProgress !== undefined && typeof onProgress !== "function") throw refusal("onProgress must be a function");
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw refusal("signal must be an AbortSignal");
  return toQuery(options);
}

function toQuery(options: DeadLettersOptions): LetterQuery {
  // One that is there and undefined is a mistake: it would mean more letters than were meant.
  for (const name of filterNames) if (name in options && options[name] === undefined) throw refusal(`${name} must not be undefined`);
  const { ids, error, cause, group, before, after, limit } = options;
  if (limit !== undefined) checkInteger("limit", limit, { min: 1 });
  const first = after === undefined ? 0 : checkTime("after", after) * 1_000;
  const last = before === undefined ? lastPlace : checkTime("before", before) * 1_000 - 1;
  if (after !== undefined && before !== undefined && first > last) throw refusal("after must be earlier than before");
  if (group !== undefined && (typeof group !== "string" || group === "")) throw refusal("group must be a text that is not empty");
  if (cause !== undefined && typeof cause !== "string") throw refusal("cause must be a text, as deadLetterCauses tells it");
  const isError = error === undefined ? undefined : toTest(error);
  return {
    ids: ids === undefined ? undefined : checkIds(ids),
    first: Math.min(Math.max(first, 0), lastPlace),
    last: Math.min(Math.max(last, -1), lastPlace),
    limit: limit ?? Infinity,
    fits: (head) =>
      head.place >= first &&
      head.place <= last &&
      (group === undefined || head.group === group) &&
      (isError === undefined || isError(head.reason)) &&
      (cause === undefined || causeOf(head.reason) === cause),
  };
}

function toTest(error: string | RegExp): (reason: string) => boolean {
  if (error instanceof RegExp) {
    // One with the flag "g" or "y" would go on where it matched before.
    const pattern = new RegExp(error.source, error.flags.replaceAll(/[gy]/g, ""));
    return (reason) => pattern.test(reason);
  }
  if (typeof error !== "string" || error === "") throw refusal("error must be a text that is not empty, or a RegExp");
  return (reason) => reason.includes(error);
}

function checkIds(ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids) || ids.length > mostIds) throw refusal(`ids must be an array of up to ${mostIds} ids`);
  for (const id of ids as readonly unknown[]) {
    if (typeof id !== "string" || id === "") throw refusal(`ids must be texts that are not empty, not ${String(id)}`);
    // oxlint-disable-next-line no-control-regex -- no id has them, and they part what scripts look for
    if (/[\0-\x1f\x7f]/.test(id)) throw refusal(`ids must have no control characters, as ${JSON.stringify(id)} has`);
  }
  return [...new Set(ids)];
}

function checkTime(name: string, time: Date | number): number {
  const ms = time instanceof Date ? time.getTime() : time;
  if (typeof ms !== "number" || !Number.isFinite(ms)) {
    throw refusal(`${name} must be a valid Date, or milliseconds since 1970, not ${String(time)}`);
  }
  return Math.ceil(ms);
}

function checkObject(what: string, options: unknown): void {
  if (typeof options !== "object" || options === null) throw refusal(`${what} takes its options as an object`);
}

function refusal(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
