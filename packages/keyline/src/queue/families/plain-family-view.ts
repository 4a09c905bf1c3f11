import { parseJson } from "../../runtime/json.ts";
import { FamilyViews } from "../../valkey/queue/family-views.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { elementIn, type Element } from "../element.ts";
import type { JobPlace } from "../jobs/job-surroundings.ts";
import { parentIn } from "../jobs/plain-surroundings.ts";
import type { ChildResult } from "./familial.ts";
import { familyOf } from "./family-element.ts";
import {
  growFamily,
  readPlace,
  writePlace,
  type ChildrenSeen,
  type FamilyQuery,
  type JobFamily,
  type ReadChildren,
  type SeenChild,
} from "./family-view.ts";

interface FamilyKey {
  readonly queue: string;
  readonly family: string;
}

type StoreOf = (queue: string) => QueueStore;

const deepest = 100;

/** The family of a job of a plain queue, by its element, as far as the slots of the queues know it. */
export async function plainFamily(
  storeOf: StoreOf,
  job: JobPlace & { readonly state: string; readonly reason: string | undefined; readonly element: Element | undefined },
  query: FamilyQuery,
): Promise<JobFamily> {
  const { queue, id, state, reason, element } = job;
  const key = element && { queue, family: familyOf(element) };
  const read: ReadChildren<FamilyKey> = (parents, limit) => Promise.all(parents.map((parent) => readChildren(storeOf, parent, limit)));
  const [node, above] = await Promise.all([
    growFamily({ place: { queue, id }, state, reason, key }, query, read),
    climb(storeOf, element?.parent),
  ]);
  return { ...node, above };
}

/** A parent that waits for its children has its element in its family, and so one sees whose child it is. */
async function climb(storeOf: StoreOf, mark: string | undefined): Promise<JobPlace[]> {
  const above: JobPlace[] = [];
  for (let next = parentIn(mark); next && above.length < deepest;) {
    above.push({ queue: next.queue, id: next.id });
    const head = await viewsOf(storeOf, next.queue).head(next.family);
    next = parentIn(head?.parked === undefined ? undefined : elementIn(head.parked)?.parent);
  }
  return above.toReversed();
}

async function readChildren(
  storeOf: StoreOf,
  { key: { queue, family }, cursor }: { readonly key: FamilyKey; readonly cursor: string },
  limit: number,
): Promise<ChildrenSeen<FamilyKey>> {
  const views = viewsOf(storeOf, queue);
  const children: SeenChild<FamilyKey>[] = [];
  let next: readonly [number, number] | undefined = readPlace(cursor);
  while (next && children.length < limit) {
    const page: Awaited<ReturnType<FamilyViews["children"]>> = await views.children(family, next, limit - children.length);
    children.push(...page.rows.flatMap(toSeen));
    ({ next } = page);
  }
  return { children, next: next && writePlace(...next) };
}

function viewsOf(storeOf: StoreOf, queue: string): FamilyViews {
  const { connection, keys } = storeOf(queue);
  return new FamilyViews(connection, keys);
}

function toSeen(row: string): SeenChild<FamilyKey>[] {
  const [, queue = "", id = "", kind, rest = ""] = /^(\S+) (\S+) ([+=])(.*)$/s.exec(row) ?? [];
  if (queue === "") return [];
  if (kind === "+") {
    const element = elementIn(`${rest},"data":null}`);
    const key = element?.isParent ? { queue, family: familyOf(element) } : undefined;
    return [{ queue, id, state: "open", reason: undefined, key }];
  }
  const { outcome, reason } = parseJson(rest) as Pick<ChildResult, "outcome" | "reason">;
  return [{ queue, id, state: outcome, reason, key: undefined }];
}
