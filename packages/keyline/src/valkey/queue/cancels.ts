import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const marks = ["base", "place", "lines", "groups", "tell-end", "tell-event", "family", "cancelled"] as const;
const mark = script(1, ...marks, "cancel-mark");
const cancelPage = script(1, "oom", ...marks, "look", "cancel-page");
const cancelHeld = script(1, "oom", ...marks, "look", "cancel-held");
const end = script(1, "oom", ...marks, "cancel-end");
const sweep = script(1, "oom", ...marks, "cancel-sweep");
const forget = script(1, "oom", ...marks, "cancel-forget");

/** A call that cancels jobs. */
export interface CancelCall {
  /** Whether the record decides, or Valkey alone. */
  readonly kind: "row" | "plain";
  readonly tag: string;
}

/** Where jobs wait: see scripts/look.lua. */
export type Place = "scheduled" | "waiting" | "waiting:high" | "waiting:low" | "lines" | `lines:${string}` | `line:${string}`;

/** Where a walk goes on. */
export interface WalkPlace {
  readonly from: string;
  /** How many the next page has at the most. */
  readonly size: number;
  /** What was taken out of the middle of things until then. */
  readonly shifts: number;
}

/** What jobs are meant, as names and values: see scripts/look.lua. */
export type JobFilterValues = readonly (string | number)[];

const sweepPage = 200;
/** Of so many a script writes and takes away the marks in a fraction of a millisecond. */
const mostMarks = 50;
/** Where that many of a page fit, most of the next one do: more than this would be looked at only to be left for another page. */
const manyFit = 4;
const sizeWhereManyFit = 20;
/** So few that a script looks at them in a fraction of a millisecond. */
export const mostElements = 120;
const mostBytes = 65_536;

/** The beginning: not much, as nothing is known of how large jobs are. */
export const walkBegin: WalkPlace = { from: "", size: 20, shifts: 0 };

/** The next page: as many as are no more than so many bytes, as far as that is known. */
export function nextPlace(from: string, bytes: number, shifts: number): WalkPlace {
  return { from, size: Math.max(4, Math.min(mostElements, Math.floor(mostBytes / (bytes + 1)))), shifts };
}

/** The marks of jobs of one queue that are cancelled, and taking these out: see scripts/cancelled.lua. */
export class Cancels {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Marks jobs. */
  async mark({ kind, tag }: CancelCall, ids: readonly string[]): Promise<void> {
    for (const some of pagesOf(ids)) await mark.run(this.#connection, [this.#keys.workers, kind, tag, ...some]);
  }

  /** Takes those that fit out of a page of where they wait. Returns their ids, and where to go on if there is more. */
  async cancelPage(
    place: Place,
    { from, size, shifts }: WalkPlace,
    { call, filter }: { readonly call: CancelCall; readonly filter: JobFilterValues },
  ): Promise<{ readonly ids: readonly string[]; readonly next: WalkPlace | undefined }> {
    const values = [this.#keys.workers, place, from, size, shifts, call.kind, call.tag, ...filter];
    const [next, taken, bytes, ...ids] = (await cancelPage.run(this.#connection, values)) as [string, number, number, ...string[]];
    if (next === "") return { ids, next: undefined };
    const at = nextPlace(next, bytes, taken);
    return { ids, next: ids.length < manyFit ? at : { ...at, size: Math.min(at.size, sizeWhereManyFit) } };
  }

  /** Marks those that fit in a page of what a worker holds, and tells it. */
  async cancelHeld(
    worker: string,
    from: string,
    { call, filter }: { readonly call: CancelCall; readonly filter: JobFilterValues },
  ): Promise<{ readonly ids: readonly string[]; readonly next: string | undefined }> {
    const values = [this.#keys.workers, worker, from, mostElements, call.kind, call.tag, ...filter];
    const [next, ...ids] = (await cancelHeld.run(this.#connection, values)) as [string, ...string[]];
    return { ids, next: next === "" ? undefined : next };
  }

  /** They were looked for everywhere. For each: what it was where it was dropped meanwhile, else "". */
  async end({ tag }: CancelCall, ids: readonly string[]): Promise<string[]> {
    const ends: string[] = [];
    for (const some of pagesOf(ids)) ends.push(...((await end.run(this.#connection, [this.#keys.workers, tag, ...some])) as string[]));
    return ends;
  }

  /** The marks of jobs that `worker` may hold, and whether it was seen to. Those that have no meaning any more are gone then. */
  async sweep(worker: string): Promise<Map<string, boolean>> {
    const found = new Map<string, boolean>();
    for (let cursor = "0"; ;) {
      const reply = await sweep.run(this.#connection, [this.#keys.workers, worker, cursor, sweepPage]);
      const [next, ...idsAndSeen] = reply as [string, ...(string | number)[]];
      for (let index = 0; index < idsAndSeen.length; index += 2) found.set(String(idsAndSeen[index]), idsAndSeen[index + 1] === 1);
      if (next === "0") return found;
      cursor = next;
    }
  }

  /** `worker` was seen to hold these, and does not any more. */
  async forget(worker: string, ids: readonly string[]): Promise<void> {
    for (const some of pagesOf(ids)) await forget.run(this.#connection, [this.#keys.workers, worker, ...some]);
  }
}

function pagesOf(ids: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(ids.length / mostMarks) }, (_, page) => ids.slice(page * mostMarks, (page + 1) * mostMarks));
}
