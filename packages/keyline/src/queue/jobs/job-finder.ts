import { walkBegin, type Place, type WalkPlace } from "../../valkey/queue/cancels.ts";
import type { AnyPlace, ReplacedState, Replacement } from "../../valkey/queue/job-pages.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { readHead } from "../element.ts";
import { walk } from "./job-walk.ts";
import { findNear } from "./near-id.ts";
import { ListEnds } from "./second-look.ts";

/** Where the element of a job was found. */
export interface FoundElement {
  readonly raw: string;
  readonly place: AnyPlace;
  /** When it is due, in the server's milliseconds, where that is known. */
  readonly due: number | undefined;
  /** Where it stands, for who comes back to it. */
  readonly from: string;
}

/** A worker has it. */
export function isHeld({ place }: FoundElement): boolean {
  return place.startsWith("held:");
}

const mostPages = 5;
const mostNamed = 50;
const before = 7;

/** Looks for the element of a job wherever one may be. */
export async function findElement(store: QueueStore, id: string, ends = new ListEnds()): Promise<FoundElement | undefined> {
  const near = await findNear(store, id);
  if (near) return { raw: near.raw, place: near.place, due: undefined, from: String(Math.max(0, near.index - before)) };
  const [found] = await findElements(store, [id], ends);
  return found;
}

/** The same for several ids, in no order. With the ends of a look before this one only what that may have missed is looked at. */
export async function findElements(store: QueueStore, ids: readonly string[], ends = new ListEnds()): Promise<FoundElement[]> {
  const found = new Map<string, FoundElement>();
  // A script that looks for many spends its time on their names.
  const filter = ids.length > mostNamed ? [] : ids.flatMap((id) => ["id", id]);
  const wanted = new Set(ids);
  const note = (element: FoundElement): void => {
    const id = readHead(element.raw)?.id ?? "";
    if (wanted.has(id) && !found.has(id)) found.set(id, element);
  };
  const look = async (place: AnyPlace, at: WalkPlace): Promise<WalkPlace | "enough" | undefined> => {
    const page = await store.jobPages.read(place, at, filter);
    if (page.seen) ends.note(place, page.seen);
    for (const { raw, due, behind } of page.found) note({ raw, place, due, from: placeOf(place, behind) });
    return found.size === ids.length ? "enough" : page.next;
  };
  const wait = async (place: AnyPlace, at: WalkPlace): Promise<WalkPlace | "enough" | undefined> => {
    const unseen = at.from === "" ? ends.unseen(store, place) : undefined;
    if (!unseen) return look(place, at);
    for await (const elements of unseen) for (const raw of elements) note({ raw, place, due: undefined, from: "0" });
    return found.size === ids.length ? "enough" : undefined;
  };
  await walk(
    store,
    { scheduled: true, waiting: true, running: true, group: undefined },
    {
      wait,
      held: async (worker, from) => {
        const next = await look(`held:${worker}`, { ...walkBegin, from });
        return typeof next === "object" ? next.from : next;
      },
    },
  );
  return [...found.values()];
}

/** The same among those that workers hold. */
export async function findHeld(store: QueueStore, id: string): Promise<FoundElement | undefined> {
  let found: FoundElement | undefined;
  await walk(
    store,
    { scheduled: false, waiting: false, running: true, group: undefined },
    {
      wait: () => Promise.resolve(undefined),
      held: async (worker, from) => {
        const place = `held:${worker}` as const;
        const { found: here, next } = await store.jobPages.read(place, { ...walkBegin, from }, ["id", id]);
        const [one] = here;
        if (one && readHead(one.raw)?.id === id) found = { raw: one.raw, place, due: undefined, from: placeOf(place, one.behind) };
        return found ? "enough" : next?.from;
      },
    },
  );
  return found;
}

/** Puts another element in the place of one that was found to wait. Undefined when it is not there any more. */
export async function replaceFound(
  store: QueueStore,
  { place, from }: FoundElement,
  replacement: Replacement,
): Promise<ReplacedState | undefined> {
  // Others were added or taken out in front of it meanwhile.
  let next: WalkPlace | undefined = { ...walkBegin, from, shifts: Number.MAX_SAFE_INTEGER };
  for (let count = 0; next && count < mostPages; count++) {
    const page = await store.jobPages.replace(place as Place, next, replacement);
    if (page.state) return page.state;
    ({ next } = page);
  }
  return undefined;
}

/** A few in front of it, where places are numbers; of a scan its page. */
function placeOf(place: AnyPlace, behind: string): string {
  return place === "lines" ? behind : String(Math.max(0, Number(behind) - 1 - before));
}
