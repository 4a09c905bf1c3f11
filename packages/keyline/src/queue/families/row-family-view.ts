import type { SurroundingRows, ViewedChild } from "../../postgres/job/surrounding-rows.ts";
import type { JobPlace } from "../jobs/job-surroundings.ts";
import { growFamily, readPlace, writePlace, type FamilyQuery, type JobFamily, type ReadChildren, type SeenChild } from "./family-view.ts";

/** The family of a job of a transactional queue: rows. */
export async function rowFamily(
  rows: SurroundingRows,
  job: JobPlace & { readonly state: string; readonly reason: string | undefined },
  query: FamilyQuery,
): Promise<JobFamily> {
  const { queue, id, state, reason } = job;
  const place = { queue, id };
  const read: ReadChildren<JobPlace> = async (parents, limit) => {
    const keys = parents.map(({ key, cursor }) => ({ ...key, after: readPlace(cursor)[1] }));
    // One more says whether there are more.
    const found = Map.groupBy(await rows.below(keys, limit + 1), (child) => child.place);
    return parents.map((_, index) => {
      const children = found.get(index + 1) ?? [];
      const shown = children.slice(0, limit);
      return { children: shown.map(toSeen), next: children.length > limit ? writePlace(1, shown.at(-1)?.number ?? 0) : undefined };
    });
  };
  const [node, above] = await Promise.all([growFamily({ place, state, reason, key: place }, query, read), rows.above(queue, id)]);
  return { ...node, above };
}

function toSeen({
  queue,
  id,
  outcome,
  reason,
  is_parked: isParked,
  is_scheduled: isScheduled,
  is_parent: isParent,
}: ViewedChild): SeenChild<JobPlace> {
  const open = isParked ? "parked" : isScheduled ? "scheduled" : "open";
  return { queue, id, state: outcome ?? open, reason: reason ?? undefined, key: isParent ? { queue, id } : undefined };
}
