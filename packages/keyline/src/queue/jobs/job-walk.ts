/*
 * DESIGN. Nothing on Valkey finds a job by its id. So jobs are looked for page by page, each page a script that looks at so few of them that the server answers
 * others in between (valkey/queue/scripts/look.lua), and by text alone.
 *
 * The order is that in which jobs move: the lines of groups, scheduled, the lists of those that wait, what workers hold. One that moves on meanwhile is met
 * later: also because one of its group was taken out.
 */
import { walkBegin, type Place, type WalkPlace } from "../../valkey/queue/cancels.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

/** What is looked at, where not everywhere. */
export interface WalkRange {
  readonly scheduled: boolean;
  readonly waiting: boolean;
  readonly running: boolean;
  /** Of lines, only that of this group. */
  readonly group: string | undefined;
  /** What workers hold comes first. */
  readonly isRunningFirst?: boolean;
  /** Lines are looked at group by group: where many are taken out. */
  readonly isByGroup?: boolean;
}

export interface WalkPages {
  /** Looks at a page of where jobs wait. Returns where to go on, undefined at the end; "enough" when nothing more is to be looked at. */
  wait(place: Place, at: WalkPlace): Promise<WalkPlace | "enough" | undefined>;
  /** The same for what a worker holds: "enough", or where to go on; "" to begin with. */
  held(worker: string, from: string): Promise<string | undefined>;
}

/** For jobs that are marked: they cannot begin any more, so that what runs is quickly found. */
export const everywhere: WalkRange = { scheduled: true, waiting: true, running: true, group: undefined, isRunningFirst: true };

const lists: readonly Place[] = ["waiting", "waiting:high", "waiting:low"];
const atOnce = 20;

/** Looks at the pages of all jobs in a range, in the order in which jobs move. */
export async function walk(store: QueueStore, range: WalkRange, pages: WalkPages): Promise<void> {
  if (range.isRunningFirst && range.running && (await walkWorkers(store, pages))) return;
  for await (const places of placesOf(store, range)) {
    const ends = await Promise.all(places.map((place) => walkPlace(place, pages)));
    if (ends.includes("enough")) return;
  }
  if (!range.isRunningFirst && range.running) await walkWorkers(store, pages);
}

/** Returns whether it is enough. */
async function walkWorkers(store: QueueStore, pages: WalkPages): Promise<boolean> {
  const workers = [...(await store.leases.workers()), ...(await store.leases.goneWorkers(Infinity))];
  for (let first = 0; first < workers.length; first += atOnce) {
    const ends = await Promise.all(workers.slice(first, first + atOnce).map((worker) => walkHeld(worker, pages)));
    if (ends.includes(true)) return true;
  }
  return false;
}

/** Places that can be looked at side by side. */
async function* placesOf(store: QueueStore, range: WalkRange): AsyncGenerator<readonly Place[]> {
  const { scheduled, waiting } = range;
  if (waiting) yield* lineParts(store, range);
  if (scheduled) yield ["scheduled"];
  if (waiting) for (const list of lists) yield [list];
}

async function* lineParts(store: QueueStore, { group, isByGroup = false }: WalkRange): AsyncGenerator<readonly Place[]> {
  if (group !== undefined) return yield linesOf(group);
  if ((await store.reads.counts()).blocked === 0) return;
  if (!isByGroup) yield ["lines"];
  let places: Place[] = [];
  for await (const parts of store.reads.groups()) {
    for (const name of parts.flatMap(({ names }) => names)) places.push(...linesOf(name).slice(isByGroup ? 0 : 1));
    for (; places.length >= atOnce; places = places.slice(atOnce)) yield places.slice(0, atOnce);
  }
  if (places.length > 0) yield places;
}

/** Where jobs of a group stand that wait for their turn. */
export function linesOf(group: string): [Place, Place] {
  return [`lines:${group}`, `line:${group}`];
}

async function walkPlace(place: Place, pages: WalkPages): Promise<"enough" | undefined> {
  let at: WalkPlace | "enough" | undefined = walkBegin;
  while (at !== undefined && at !== "enough") at = await pages.wait(place, at);
  return at;
}

/** Returns whether it is enough. */
async function walkHeld(worker: string, pages: WalkPages): Promise<boolean> {
  let from: string | undefined = "";
  while (from !== undefined && from !== "enough") from = await pages.held(worker, from);
  return from === "enough";
}
