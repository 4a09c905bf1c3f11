import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { readHead } from "../element.ts";

/*
 * Ids that Keyline makes begin with their time (runtime/ids.ts), and lists have their jobs in the order of adding, nearly: clocks of processes differ, and what was
 * scheduled or redriven comes later. So a job that waits is mostly found with a few looks. Where it is not, that proves nothing.
 */

const newId = /^[0-9a-z]{20}$/;
const timeLength = 12;
const near = 100;
/** A shorter list is looked through as quickly. */
const worthIt = 2_000;

/** The element of a job that waits in one of the lists, and where in that; undefined where it has not been found. */
export async function findNear(
  { keys, reads }: QueueStore,
  id: string,
): Promise<{ readonly place: "waiting" | "waiting:high" | "waiting:low"; readonly index: number; readonly raw: string } | undefined> {
  if (!newId.test(id)) return undefined;
  for (const place of ["waiting", "waiting:high", "waiting:low"] as const) {
    const list = keys.at(place);
    let [low, high] = [0, (await reads.length(list)) - 1];
    if (high < worthIt) continue;
    let isKnown = true;
    while (isKnown && high - low > near) {
      const middle = Math.floor((low + high) / 2);
      const order = orderOf(await reads.element(list, middle));
      isKnown = order !== undefined;
      if (order === undefined) continue;
      if (order > id.slice(0, timeLength)) low = middle;
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
}

/** What its id begins with, or would begin with if Keyline had made it. */
function orderOf(raw: string | undefined): string | undefined {
  const head = raw === undefined ? undefined : readHead(raw);
  if (!head) return undefined;
  if (newId.test(head.id)) return head.id.slice(0, timeLength);
  return head.at === undefined ? undefined : head.at.toString(36).padStart(9, "0") + "000";
}
