import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { isNewId } from "../../runtime/ids.ts";
import { readHead } from "../element.ts";

/*
 * Lists have their jobs in the order of adding, nearly: clocks of processes differ, and what was scheduled or redriven comes later. Ids that Keyline makes begin with
 * their time (runtime/ids.ts); of those that callers choose many rise as well: numbers of orders, UUIDs of version 7, ULIDs. So a job that waits is mostly found
 * with a few looks. Where it is not, as its id is a random one, that proves nothing.
 */

const timeLength = 12;
const near = 100;
/** In a list with ids of several kinds one that can be compared is looked for so far around. */
const around = 8;
/** A shorter list is looked through as quickly. */
const worthIt = 2_000;

/** How an id compares with those of other jobs, as texts. */
interface Order {
  readonly wanted: string;
  /** Undefined where the two have nothing in common. */
  of(raw: string): string | undefined;
}

/** The element of a job that waits in one of the lists, and where in that; undefined where it has not been found. */
export async function findNear(
  { keys, reads }: QueueStore,
  id: string,
): Promise<{ readonly place: "waiting" | "waiting:high" | "waiting:low"; readonly index: number; readonly raw: string } | undefined> {
  const order = isNewId(id) ? orderOfTimes(id) : orderOfOwn(id);
  for (const place of ["waiting", "waiting:high", "waiting:low"] as const) {
    const list = keys.at(place);
    let [low, high] = [0, (await reads.length(list)) - 1];
    if (high < worthIt) continue;
    let isKnown = true;
    while (isKnown && high - low > near) {
      const middle = Math.floor((low + high) / 2);
      const found = await orderAt(middle, list);
      isKnown = found !== undefined;
      if (found === undefined) continue;
      if (found > order.wanted) low = middle;
      else high = middle;
    }
    if (!isKnown) continue;
    const first = Math.max(0, low - near);
    const elements = await reads.elements(list, first, high + near);
    const index = elements.findIndex((raw) => readHead(raw)?.id === id);
    const raw = elements[index];
    if (raw !== undefined) return { place, index: first + index, raw };
  }
  return undefined;

  async function orderAt(middle: number, list: string): Promise<string | undefined> {
    const raw = await reads.element(list, middle);
    const found = raw === undefined ? undefined : order.of(raw);
    if (found !== undefined || raw === undefined) return found;
    const others = await reads.elements(list, middle - around, middle + around);
    return others.map((other) => order.of(other)).find((one) => one !== undefined);
  }
}

function orderOfTimes(id: string): Order {
  return { wanted: id.slice(0, timeLength), of: timeIn };
}

/** What its id begins with, or would begin with if Keyline had made it. */
function timeIn(raw: string): string | undefined {
  const head = readHead(raw);
  if (!head) return undefined;
  if (isNewId(head.id)) return head.id.slice(0, timeLength);
  return head.at === undefined ? undefined : head.at.toString(36).padStart(9, "0") + "000";
}

/** Of two that begin in the same way up to their first digit the longer one comes later, as of numbers, and of two that are as long the one whose text is greater. */
function orderOfOwn(id: string): Order {
  const kind = kindOf(id);
  return {
    wanted: rank(id),
    of: (raw) => {
      const other = readHead(raw)?.id;
      return other !== undefined && !isNewId(other) && kindOf(other) === kind ? rank(other) : undefined;
    },
  };
}

function kindOf(id: string): string {
  return /^\D*/.exec(id)?.[0] ?? "";
}

function rank(id: string): string {
  return `${String(id.length).padStart(4, "0")} ${id}`;
}
