import { KeylineError } from "../../runtime/errors.ts";
import { checkId, checkKey } from "../../runtime/names.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";

/** Which jobs are meant: those for which all that is given is true. */
export interface JobFilter {
  readonly ids?: readonly string[];
  readonly group?: string;
  readonly state?: "waiting" | "scheduled" | "running";
  /** Added at this time or later. A Date, or milliseconds since 1970. */
  readonly after?: Date | number;
  /** Added before this time. */
  readonly before?: Date | number;
}

export interface CancelOptions extends JobFilter {
  /** Instead of a filter: all jobs of the queue that have not ended. */
  readonly all?: true;
  /** Called after each page. */
  readonly onProgress?: (progress: { readonly done: number }) => void | Promise<void>;
  /** Ends the call between two pages. */
  readonly signal?: AbortSignal;
}

/** A filter that was checked, with every time in milliseconds. */
export interface JobQuery {
  readonly ids: readonly string[] | undefined;
  readonly group: string | undefined;
  readonly state: JobFilter["state"];
  readonly after: number | undefined;
  readonly before: number | undefined;
}

const filterNames = ["ids", "group", "state", "after", "before"] as const satisfies readonly (keyof JobFilter)[];
const cancelNames = new Set<string>([...filterNames, "all", "onProgress", "signal"] satisfies (keyof CancelOptions)[]);
const states = new Set(["waiting", "scheduled", "running"]);
const mostIds = 10_000;

/** Throws INVALID_OPTION and INVALID_ID. */
export function checkCancelOptions(options: CancelOptions): JobQuery {
  if (typeof options !== "object" || options === null) throw refusal("cancel takes the id of a job, or what jobs are meant as an object");
  checkOptionNames("cancel", options, cancelNames);
  const { all, onProgress, signal } = options;
  const given = filterNames.filter((name) => name in options);
  if ("all" in options && (all as unknown) !== true) throw refusal(`all must be true, or left out for a filter, not ${String(all)}`);
  if (all && given.length > 0) throw refusal(`all goes with no filter, and here is ${given.join(", ")}: leave one of them out`);
  if (!all && given.length === 0) {
    throw refusal(`cancel needs to know which jobs are meant: one of ${filterNames.join(", ")}, or all: true`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") throw refusal("onProgress must be a function");
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw refusal("signal must be an AbortSignal");
  return toQuery(options);
}

function toQuery(options: JobFilter): JobQuery {
  // One that is there and undefined is a mistake: it would mean more jobs than were meant.
  for (const name of filterNames) if (name in options && options[name] === undefined) throw refusal(`${name} must not be undefined`);
  const { ids, group, state, after, before } = options;
  if (state !== undefined && !states.has(state)) {
    throw refusal(`state must be "waiting", "scheduled" or "running", not ${JSON.stringify(state)}`);
  }
  const query = {
    ids: ids === undefined ? undefined : checkIds(ids),
    group: group === undefined ? undefined : checkKey("group", group),
    state,
    after: after === undefined ? undefined : checkTime("after", after),
    before: before === undefined ? undefined : checkTime("before", before),
  };
  if (query.ids && (group ?? state ?? after ?? before) !== undefined)
    throw refusal("ids goes with no other filter: they say which jobs are meant");
  if (query.after !== undefined && query.before !== undefined && query.after > query.before) {
    throw refusal("after must be earlier than before");
  }
  return query;
}

function checkIds(ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids) || ids.length > mostIds) throw refusal(`ids must be an array of up to ${mostIds} ids`);
  return [...new Set((ids as readonly string[]).map((id) => checkId(id)))];
}

function checkTime(name: string, time: Date | number): number {
  const ms = time instanceof Date ? time.getTime() : time;
  if (typeof ms !== "number" || !Number.isFinite(ms)) {
    throw refusal(`${name} must be a valid Date, or milliseconds since 1970, not ${String(time)}`);
  }
  return checkInteger(name, Math.ceil(ms), { min: 0 });
}

function refusal(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
