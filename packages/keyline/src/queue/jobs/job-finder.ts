import { walkBegin, type Place, type WalkPlace } from "../../valkey/queue/cancels.ts";
import type { AnyPlace, Replacement } from "../../valkey/queue/job-pages.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { walk } from "./job-walk.ts";

/** Where the element of a job was found. */
export interface FoundElement {
  readonly raw: string;
  readonly place: AnyPlace;
  /** When it is due, in the server's milliseconds, where that is known. */
  readonly due: number | undefined;
  /** Where it stands, for who comes back to it. */
  readonly from: string;
}

const mostPages = 5;

/** Looks for the element of a job wherever one may be. */
export async function findElement(store: QueueStore, id: string): Promise<FoundElement | undefined> {
  let found: FoundElement | undefined;
  const look = async (place: AnyPlace, at: WalkPlace): Promise<WalkPlace | "enough" | undefined> => {
    const page = await store.jobPages.read(place, at, ["id", id]);
    const [first] = page.found;
    if (first) found ??= { raw: first.raw, place, due: first.due, from: placeOf(place, first.behind) };
    return found ? "enough" : page.next;
  };
  await walk(
    store,
    { scheduled: true, waiting: true, running: true, group: undefined },
    {
      wait: look,
      held: async (worker, from) => {
        const next = await look(`held:${worker}`, { ...walkBegin, from });
        return typeof next === "object" ? next.from : next;
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
): Promise<"waiting" | "scheduled" | "blocked" | undefined> {
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
  return place === "lines" ? behind : String(Math.max(0, Number(behind) - 8));
}
