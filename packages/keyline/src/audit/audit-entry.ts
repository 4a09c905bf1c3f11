import { KeylineError } from "../runtime/errors.ts";
import { toJson } from "../runtime/json.ts";
import { checkKey } from "../runtime/names.ts";
import { checkInteger, checkOptionNames } from "../runtime/options.ts";

/** An act that is about to begin. */
export interface NewAuditEntry {
  /** Whoever acts, as 1 to 200 characters: a user of the application. */
  readonly who: string;
  /** What is done, such as `redrive`. */
  readonly action: string;
  /** To what, such as `queue:emails`. */
  readonly target: string;
  /** What else there is to know, such as the filter: JSON of up to 64 KiB. Nothing that must not be kept, as it is stored as it is. */
  readonly details?: unknown;
  /** How many it is meant for. */
  readonly count?: number;
}

/** How an act ended. */
export interface AuditEnd {
  /** How many it was done to. */
  readonly count?: number;
  /** Why it went no further. */
  readonly error?: string;
}

/** An act in the audit trail. */
export interface AuditEntry {
  readonly id: string;
  /** When it was written, in milliseconds since 1970 by the store's clock. */
  readonly at: number;
  readonly who: string;
  readonly action: string;
  readonly target: string;
  readonly details: unknown;
  /** How many it was done to; before it ended, how many it was meant for. */
  readonly count: number | undefined;
  readonly error: string | undefined;
  /** When it ended; undefined while it is under way, and where its process died or could not write it. */
  readonly finishedAt: number | undefined;
  /** Where to go on behind it: `list({ cursor })`. */
  readonly cursor: string;
}

export interface AuditListOptions {
  /** Only acts on this. */
  readonly target?: string;
  /** How many at the most. Default: all. */
  readonly limit?: number;
  /** Behind the entry that had this cursor. */
  readonly cursor?: string;
}

export interface CheckedEntry {
  readonly who: string;
  readonly action: string;
  readonly target: string;
  readonly detailsJson: string | undefined;
  readonly count: number | undefined;
}

export interface CheckedEnd {
  readonly count: number | undefined;
  readonly error: string | undefined;
}

export interface AuditQuery {
  readonly target: string | undefined;
  readonly limit: number;
  readonly before: string | undefined;
}

const entryNames = new Set<string>(["who", "action", "target", "details", "count"] satisfies (keyof NewAuditEntry)[]);
const endNames = new Set<string>(["count", "error"] satisfies (keyof AuditEnd)[]);
const listNames = new Set<string>(["target", "limit", "cursor"] satisfies (keyof AuditListOptions)[]);
const mostDetails = 64 * 1_024;
const longestError = 2_000;

/** Throws INVALID_OPTION, NOT_SERIALIZABLE, FORBIDDEN_KEY and PAYLOAD_TOO_LARGE. */
export function checkEntry(entry: NewAuditEntry): CheckedEntry {
  checkObject("audit.add", entry, entryNames);
  const { who, action, target, details, count } = entry;
  return {
    who: checkKey("who", who),
    action: checkKey("action", action),
    target: checkKey("target", target),
    detailsJson: details === undefined ? undefined : toJson("the audit trail", details, mostDetails),
    count: count === undefined ? undefined : checkInteger("count", count, { min: 0 }),
  };
}

/** Throws INVALID_OPTION. */
export function checkEnd(end: AuditEnd): CheckedEnd {
  checkObject("audit.finish", end, endNames);
  const { count, error } = end;
  if (error !== undefined && typeof error !== "string") throw refusal(`error must be a text, not ${typeof error}`);
  return {
    count: count === undefined ? undefined : checkInteger("count", count, { min: 0 }),
    // A text of PostgreSQL has no zeros.
    error: error?.replaceAll("\0", "").slice(0, longestError).toWellFormed(),
  };
}

/** Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkList(options: AuditListOptions, isCursor: (text: string) => boolean): AuditQuery {
  checkObject("audit.list", options, listNames);
  const { target, limit, cursor } = options;
  if (cursor !== undefined && (typeof cursor !== "string" || !isCursor(cursor))) {
    throw new KeylineError("INVALID_CURSOR", `${JSON.stringify(cursor)} is no cursor: pass the \`cursor\` of an entry that list() gave`);
  }
  return {
    target: target === undefined ? undefined : checkKey("target", target),
    limit: limit === undefined ? Infinity : checkInteger("limit", limit, { min: 1 }),
    before: cursor,
  };
}

function checkObject(what: string, options: object, known: ReadonlySet<string>): void {
  if (typeof options !== "object" || options === null) throw refusal(`${what} takes an object`);
  checkOptionNames(what, options, known);
}

function refusal(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
