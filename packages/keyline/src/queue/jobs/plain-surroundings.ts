import type { FamilyHead, FamilyViews } from "../../valkey/queue/family-views.ts";
import type { Element } from "../element.ts";
import { familyOf } from "../families/family-element.ts";
import type { ChildCounts, JobPlace, JobSurroundings } from "./job-surroundings.ts";

const mostCounted = 10_000;

/** What belongs to a job of a plain queue, by its element. */
export async function surroundingsOf(views: FamilyViews, element: Element): Promise<JobSurroundings> {
  const family = familyOf(element);
  const head = await views.head(family);
  const parent = parentIn(element.parent);
  if (!head) return parent ? { parent } : {};
  return { ...(parent ? { parent } : {}), children: await countChildren(views, family, head), onChildDead: head.death };
}

/** Of a mark as a child: scripts/family.lua. */
export function parentIn(mark: string | undefined): (JobPlace & { readonly family: string }) | undefined {
  const [, , queue, family] = mark?.split(" ") ?? [];
  if (queue === undefined || family === undefined) return undefined;
  return { queue, id: family.slice(0, family.lastIndexOf("@")), family };
}

async function countChildren(views: FamilyViews, family: string, { open, total }: FamilyHead): Promise<ChildCounts> {
  let dead = 0;
  let cancelled = 0;
  let looked = 0;
  for (let next: readonly [number, number] | undefined = [1, 0]; next && looked < mostCounted;) {
    const page = await views.outcomes(family, next);
    dead += page.dead;
    cancelled += page.cancelled;
    looked += page.looked;
    ({ next } = page);
  }
  return { total, open, dead, cancelled };
}
