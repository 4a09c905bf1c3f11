import type { Tie } from "../../valkey/queue/holding.ts";
import type { Element } from "../element.ts";
import type { HeldJob } from "./held-jobs.ts";

const none: readonly never[] = [];

/** What a job is tied to on Valkey outside its held list: its end loosens it. Most jobs are tied to nothing. */
export function tiesOf({ element }: HeldJob<unknown>): readonly Tie[] {
  if (!element || (!element.hasOwnId && element.group === undefined && element.key === undefined)) return none;
  const ties: Tie[] = element.hasOwnId ? [{ kind: "id", value: element.id }] : [];
  const group = groupTieOf(element);
  if (group) ties.push(group);
  if (element.key !== undefined) ties.push({ kind: "key", value: `${element.id} ${element.key}` });
  return ties;
}

export function groupTieOf({ id, group }: Element): Tie | undefined {
  return group === undefined ? undefined : { kind: "group", value: `${id} ${group}` };
}

/** The same for several, by their place among them. */
export function tiesOfAll(jobs: readonly HeldJob<unknown>[]): readonly (readonly [index: number, tie: Tie])[] {
  let ties: (readonly [number, Tie])[] | undefined;
  for (let index = 0; index < jobs.length; index++) {
    const job = jobs[index];
    const own = job ? tiesOf(job) : none;
    if (own === none) continue;
    ties ??= [];
    for (const tie of own) ties.push([index, tie]);
  }
  return ties ?? none;
}
