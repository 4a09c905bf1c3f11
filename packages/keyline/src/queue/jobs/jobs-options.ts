import { KeylineError } from "../../runtime/errors.ts";
import { checkKey } from "../../runtime/names.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";

export interface JobsOptions {
  /** Default all of these. */
  readonly state?: ListedState;
  readonly group?: string;
  /** Whose data has this text in its JSON, capitals or not. Only on a transactional queue, with the state `dead` or `scheduled`; a call looks at 100,000 jobs at the most. */
  readonly contains?: string;
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
  readonly limit: number;
  readonly cursor: readonly string[];
}

const optionNames = new Set<string>(["state", "group", "contains", "limit", "cursor"] satisfies (keyof JobsOptions)[]);
const longestText = 200;
const states = new Set<string>(["waiting", "scheduled", "blocked", "running", "parked", "dead"] satisfies ListedState[]);

/** Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkJobsOptions(options: JobsOptions): JobsQuery {
  if (typeof options !== "object" || options === null) throw refusal("jobs takes its options as an object");
  checkOptionNames("jobs", options, optionNames);
  const { state, group, contains, limit, cursor } = options;
  if (state !== undefined && !states.has(state)) {
    throw refusal(`state must be one of ${[...states].join(", ")}, not ${JSON.stringify(state)}`);
  }
  if (contains !== undefined) checkContains(contains, state);
  return {
    state,
    contains,
    group: group === undefined ? undefined : checkKey("group", group),
    limit: limit === undefined ? Infinity : checkInteger("limit", limit, { min: 1 }),
    cursor: cursor === undefined ? [] : readCursor(cursor),
  };
}

function checkContains(contains: string, state: ListedState | undefined): void {
  if (typeof contains !== "string" || contains === "" || contains.length > longestText) {
    throw refusal(`contains must be a text of 1 to ${longestText} characters`);
  }
  if (state !== "dead" && state !== "scheduled")
    throw refusal("contains goes with the state dead or scheduled: others change while they are looked at");
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
