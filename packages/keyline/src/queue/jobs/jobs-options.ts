import { KeylineError } from "../../runtime/errors.ts";
import { checkKey } from "../../runtime/names.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";

export interface JobsOptions {
  /** Default all of these. */
  readonly state?: ListedState;
  readonly group?: string;
  /** Whose data has this text in its JSON, capitals or not. Only on a transactional queue, with the state `dead` or `scheduled`; a call looks at 100,000 jobs at the most, and its `cursor` goes on there. */
  readonly contains?: string;
  /** Whose `error` has this text in it, as `deadLetters` takes it: what failed and waits for its next attempt, and what is dead. Only with the state `scheduled` or `dead`; a call looks at 100,000 jobs at the most, and its `cursor` goes on there. */
  readonly error?: string;
  /** How many at the most. Default no limit. */
  readonly limit?: number;
  /** Behind the job that had this cursor, with the same filter. */
  readonly cursor?: string;
}

export type ListedState = "waiting" | "scheduled" | "blocked" | "running" | "parked" | "dead";

export interface JobsQuery {
  readonly state: ListedState | undefined;
  readonly group: string | undefined;
  readonly contains: string | undefined;
  readonly error: string | undefined;
  readonly limit: number;
  readonly cursor: readonly string[];
}

const optionNames = new Set<string>(["state", "group", "contains", "error", "limit", "cursor"] satisfies (keyof JobsOptions)[]);
const longest = { contains: 200, error: 1_000 } as const;
const states = new Set<string>(["waiting", "scheduled", "blocked", "running", "parked", "dead"] satisfies ListedState[]);

/** Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkJobsOptions(options: JobsOptions): JobsQuery {
  if (typeof options !== "object" || options === null) throw refusal("jobs takes its options as an object");
  checkOptionNames("jobs", options, optionNames);
  const { state, group, contains, error, limit, cursor } = options;
  if (state !== undefined && !states.has(state)) {
    throw refusal(`state must be one of ${[...states].join(", ")}, not ${JSON.stringify(state)}`);
  }
  if (contains !== undefined) checkText("contains", contains, state);
  if (error !== undefined) checkText("error", error, state);
  return {
    state,
    contains,
    error,
    group: group === undefined ? undefined : checkKey("group", group),
    limit: limit === undefined ? Infinity : checkInteger("limit", limit, { min: 1 }),
    cursor: cursor === undefined ? [] : readCursor(cursor),
  };
}

function checkText(name: keyof typeof longest, text: string, state: ListedState | undefined): void {
  if (typeof text !== "string" || text === "" || text.length > longest[name]) {
    throw refusal(`${name} must be a text of 1 to ${longest[name]} characters`);
  }
  // No error that is kept has one, and PostgreSQL takes none.
  if (name === "error" && text.includes("\0")) throw refusal("error must have no NUL in it");
  if (state !== "dead" && state !== "scheduled")
    throw refusal(`${name} goes with the state dead or scheduled: others change while they are looked at`);
}

export function writeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

function readCursor(cursor: string): readonly string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (Array.isArray(parts) && parts.length > 0 && parts.every((part) => typeof part === "string")) return parts;
  } catch {
    // Said below.
  }
  throw new KeylineError("INVALID_CURSOR", `${JSON.stringify(cursor)} is no cursor: pass the \`cursor\` of a job that jobs() gave`);
}

function refusal(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
