import type { JobDetail } from "../../postgres/job/job-details.ts";
import { decodeElement, type Element } from "../element.ts";
import { readHistory, splitHistory, type FailedAttempt } from "../worker/attempt-history.ts";
import type { DeadLetter } from "../letters/dead-letter.ts";
import type { Priority } from "../options.ts";
import type { JobSurroundings } from "./job-surroundings.ts";

/** Where a job is: see docs/job-lifecycle.md. */
export type JobState = "waiting" | "scheduled" | "blocked" | "running" | "parked" | "dead" | "completed" | "cancelled";

/** What is known of a job at the moment when it was looked at; what belongs to it only of one that was asked for by its id. */
export interface QueuedJob<Data = unknown> extends JobSurroundings {
  readonly id: string;
  readonly state: JobState;
  /** Undefined where nothing of it is left: `completed` and `cancelled`. */
  readonly data: Data | undefined;
  /** Attempts that failed, since it was redriven if it was. */
  readonly attempts: number;
  /** When it was added, in milliseconds since 1970; undefined where that is not known. */
  readonly addedAt: number | undefined;
  /** When it is to run at the earliest, in milliseconds since 1970, where that is later. */
  readonly dueAt: number | undefined;
  readonly group: string | undefined;
  readonly priority: Priority;
  /** Why its last attempt failed, or why it is dead. */
  readonly error: string | undefined;
  /** Its attempts that failed, oldest first: the last 20. */
  readonly history: readonly FailedAttempt[];
  /** How far its handler said it is; only of a job that was asked for by its id, and undefined where it said nothing. */
  readonly progress?: unknown;
  /** Valkey was away, and this is its row in PostgreSQL: one that runs, or whose group keeps it from running, is told as waiting or scheduled. */
  readonly isFromRow?: true;
  /** Where to go on behind it: `jobs({ cursor })`. Empty for one that was asked for by its id. */
  readonly cursor: string;
}

/** The job of an element; undefined where that is none. */
export function jobOfElement<Data>(
  raw: string,
  where: { readonly state: JobState; readonly due: number | undefined; readonly cursor: string },
): QueuedJob<Data> | undefined {
  let element: Element;
  try {
    element = decodeElement(raw);
  } catch {
    return undefined;
  }
  const { history, gone } = splitHistory(raw);
  const failed = [...history, ...gone];
  return {
    id: element.id,
    state: where.state,
    data: element.data as Data,
    attempts: element.attempts,
    addedAt: element.at,
    dueAt: where.due,
    group: element.group,
    priority: priorityIn(raw),
    error: failed.at(-1)?.error,
    history: failed,
    cursor: where.cursor,
  };
}

export function jobOfRow<Data>(
  row: JobDetail,
  where: { readonly state: JobState; readonly isFromRow?: boolean; readonly cursor: string },
): QueuedJob<Data> {
  return {
    id: row.id,
    state: where.state,
    data: row.data as Data,
    attempts: row.attempts,
    addedAt: row.at,
    dueAt: where.state === "dead" || where.state === "running" ? undefined : (row.due ?? undefined),
    group: row.group_name ?? undefined,
    priority: row.priority ?? "normal",
    error: row.last_error ?? undefined,
    history: readHistory(row.history),
    ...(where.isFromRow && { isFromRow: true as const }),
    cursor: where.cursor,
  };
}

export function jobOfLetter<Data>(letter: DeadLetter, cursor: string): QueuedJob<Data> {
  const { id, data, attempts, group, reason, history } = letter;
  const rest = { addedAt: undefined, dueAt: undefined, priority: "normal" as const, cursor };
  return { id, state: "dead", data: data as Data, attempts, group, error: reason, history, ...rest };
}

export function endedJob<Data>(id: string, state: "completed" | "cancelled"): QueuedJob<Data> {
  const nothing = { data: undefined, addedAt: undefined, dueAt: undefined, group: undefined, error: undefined };
  return { id, state, attempts: 0, priority: "normal", history: [], cursor: "", ...nothing };
}

function priorityIn(raw: string): Priority {
  const at = /,"priority":"(high|low)"/.exec(raw);
  if (!at || at.index > raw.indexOf(',"data":')) return "normal";
  return at[1] === "high" ? "high" : "low";
}
