import { KeylineError } from "../../runtime/errors.ts";
import { Iteration } from "../../runtime/iteration.ts";
import { checkOptionNames } from "../../runtime/options.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { asRead } from "../../valkey/client/as-read.ts";

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
  /** Where to go on behind it: `groups({ cursor })`. */
  readonly cursor: string;
}

export interface GroupsOptions {
  /** Default all. */
  readonly state?: QueueGroupStatus["state"];
  /** Behind the group that had this cursor. */
  readonly cursor?: string;
}

interface GroupPlace {
  readonly name: string;
  /** Where the server's page begins that it was in. */
  readonly place: string;
}

interface GroupsQuery {
  readonly state: QueueGroupStatus["state"] | undefined;
  readonly behind: GroupPlace | undefined;
}

const page = 200;
const optionNames = new Set<string>(["state", "cursor"] satisfies (keyof GroupsOptions)[]);
const states = new Set(["blocked", "paused", "running"]);
const cursorPattern = /^(\d{1,20})\.(.+)$/s;

/** Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkGroups(options: GroupsOptions): GroupsQuery {
  checkOptionNames("groups", options, optionNames);
  const { state, cursor } = options;
  if (state !== undefined && !states.has(state)) {
    throw new KeylineError("INVALID_OPTION", `state must be "blocked", "paused" or "running", not ${JSON.stringify(state)}`);
  }
  return { state, behind: cursor === undefined ? undefined : readCursor(cursor) };
}

/** The groups that have jobs. */
export function listGroups(store: QueueStore, { state, behind }: GroupsQuery): AsyncIterableIterator<QueueGroupStatus> {
  let pages: AsyncGenerator<GroupPlace[]> | undefined;
  const read = async (): Promise<QueueGroupStatus[] | undefined> => {
    pages ??= groupPages(store, behind);
    const { done, value: places } = await pages.next();
    if (done) return undefined;
    const names = places.map(({ name }) => name);
    const [rules, found] = await Promise.all([store.gates.read(), store.gates.states(names)]);
    const most = Number(rules["group.concurrency"] ?? 1);
    return found
      .map(([admitted, waiting, isPaused], index) => statusOf(places[index], { admitted, waiting, isPaused, most }))
      .filter((status) => status !== undefined)
      .filter((status) => state === undefined || status.state === state);
  };
  return new Iteration(new PagedSource(() => asRead(read())));
}

export async function* groupPages(store: QueueStore, behind?: GroupPlace): AsyncGenerator<GroupPlace[]> {
  await store.connection.ensureReady(5_000);
  let places: GroupPlace[] = [];
  for await (const group of behind ? groupsBehind(store, behind) : store.reads.groups()) {
    if (places.push(group) < page) continue;
    yield places;
    places = [];
  }
  if (places.length > 0) yield places;
}

/** The server's page is read again. Where the group has gone from it, all of that page comes again, as nobody knows what was behind it. */
async function* groupsBehind({ reads }: QueueStore, behind: GroupPlace): AsyncGenerator<GroupPlace> {
  let first: GroupPlace[] | undefined = [];
  for await (const group of reads.groups(behind.place)) {
    if (first && group.place === behind.place) {
      first.push(group);
      continue;
    }
    if (first) yield* after(first, behind);
    first = undefined;
    yield group;
  }
  if (first) yield* after(first, behind);
}

function after(groups: readonly GroupPlace[], { name }: GroupPlace): readonly GroupPlace[] {
  return groups.slice(groups.findIndex((group) => group.name === name) + 1);
}

function statusOf(
  group: GroupPlace | undefined,
  found: { readonly admitted: string; readonly waiting: number; readonly isPaused: boolean; readonly most: number },
): QueueGroupStatus | undefined {
  if (!group) return undefined;
  const { admitted, waiting, isPaused, most } = found;
  const words = admitted === "" ? [] : admitted.split(" ");
  const isBlocked = waiting > 0 && words.length / 2 >= most;
  return {
    name: group.name,
    state: isPaused ? "paused" : isBlocked ? "blocked" : "running",
    waiting,
    blockedBy: words[0],
    since: words[1] === undefined ? undefined : Number(words[1]),
    cursor: Buffer.from(`${group.place}.${group.name}`).toString("base64url"),
  };
}

function readCursor(cursor: string): GroupPlace {
  const match = typeof cursor === "string" ? cursorPattern.exec(Buffer.from(cursor, "base64url").toString()) : null;
  if (match) return { place: match[1] ?? "", name: match[2] ?? "" };
  throw new KeylineError("INVALID_CURSOR", `${JSON.stringify(cursor)} is no cursor: pass the \`cursor\` of a group that groups() gave`);
}
