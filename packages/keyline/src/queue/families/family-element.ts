import type { Element } from "../element.ts";

const parentField = `,"family":true`;
const behindHead = `,"data":`;

/** What is in front of its data; of one that another writer has written all of it. */
export function headOf(raw: string): string {
  const end = raw.indexOf(behindHead);
  return end < 0 ? raw : raw.slice(0, end);
}

/** The element as that of a job that has children. */
export function asParent(raw: string): string {
  const end = raw.indexOf(behindHead);
  return end < 0 || raw.slice(0, end).includes(parentField) ? raw : raw.slice(0, end) + parentField + raw.slice(end);
}

/** The element as that of a child with this mark. */
export function asChild(raw: string, mark: string): string {
  const end = raw.indexOf(behindHead);
  return `${raw.slice(0, end)},"parent":"${mark}"${raw.slice(end)}`;
}

/** The element as it was before a child of it died. */
export function withoutDeath(raw: string): string {
  const end = raw.indexOf(behindHead);
  return end < 0 ? raw : raw.slice(0, end).replace(/,"dies":"(?:[^"\\]|\\.)*"/, "") + raw.slice(end);
}

/** By which the parent of a family on a plain queue is known: an id that is used again is another one's. */
export function familyOf({ id, at }: Pick<Element, "id" | "at">): string {
  return `${id}@${at ?? ""}`;
}

/** A parent that waits for its children rests on the schedule for longer than anything that waits for its time: scripts/family.lua. */
export const restsFromMs = 500_000_000_000_000;
