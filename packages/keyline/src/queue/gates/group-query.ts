import { KeylineError } from "../../runtime/errors.ts";
import { checkOptionNames } from "../../runtime/options.ts";

export interface QueueGroupStatus {
  readonly name: string;
  /** `blocked`: jobs stand in its line, and as many run as may. */
  readonly state: "blocked" | "paused" | "running";
  /** Jobs that stand in its line. */
  readonly waiting: number;
  /** The job that the line waits for, of several the one that has been on the queue for longest. */
  readonly blockedBy: string | undefined;
  /** Since when that one has had its turn, in milliseconds since 1970. */
  readonly since: number | undefined;
  /** Valkey was away, and rows of a transactional queue tell of it: what they say of which jobs have their turn is what the limit lets. */
  readonly isFromRows?: true;
  /** Where to go on behind it: `groups({ cursor })`. */
  readonly cursor: string;
}

export interface GroupsOptions {
  /** Default all. */
  readonly state?: QueueGroupStatus["state"];
  /** Behind the group that had this cursor. */
  readonly cursor?: string;
}

export interface GroupPlace {
  readonly name: string;
  /** Where the part of the server's begins and ends that it was in; `rows` where it was told of by rows. */
  readonly place: string;
}

export interface GroupsQuery {
  readonly state: QueueGroupStatus["state"] | undefined;
  readonly behind: GroupPlace | undefined;
}

const optionNames = new Set<string>(["state", "cursor"] satisfies (keyof GroupsOptions)[]);
const states = new Set(["blocked", "paused", "running"]);
const cursorPattern = /^(\d{1,20}-\d{1,20}|rows)\.(.+)$/s;

/** Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkGroups(options: GroupsOptions): GroupsQuery {
  checkOptionNames("groups", options, optionNames);
  const { state, cursor } = options;
  if (state !== undefined && !states.has(state)) {
    throw new KeylineError("INVALID_OPTION", `state must be "blocked", "paused" or "running", not ${JSON.stringify(state)}`);
  }
  return { state, behind: cursor === undefined ? undefined : readCursor(cursor) };
}

export function writeCursor({ place, name }: GroupPlace): string {
  return Buffer.from(`${place}.${name}`).toString("base64url");
}

function readCursor(cursor: string): GroupPlace {
  const match = typeof cursor === "string" ? cursorPattern.exec(Buffer.from(cursor, "base64url").toString()) : null;
  if (match) return { place: match[1] ?? "", name: match[2] ?? "" };
  throw new KeylineError("INVALID_CURSOR", `${JSON.stringify(cursor)} is no cursor: pass the \`cursor\` of a group that groups() gave`);
}
