import { familyOf } from "./family-element.ts";
import type { Tie } from "../../valkey/queue/tie.ts";
import { describeError } from "../../work/verdict.ts";
import { type Element } from "../element.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

/** Whether it may have children. An attempt before this one may have added some, and have died before it could say so. */
export function mayBeParent({ hasFamily, isCancelled }: HeldJob<unknown>, { isParent, attempts, group }: Element): boolean {
  return isParent || hasFamily || (group === undefined && (attempts > 0 || isCancelled));
}

/** What the end of a job of a plain queue does that is a child, or a parent: see scripts/family.lua. */
export function familyTies(job: HeldJob<unknown>, element: Element): Tie[] {
  const { verdict, isCancelled, result } = job;
  const how = verdict?.kind === "bury" ? "dead" : isCancelled ? "cancelled" : "completed";
  const ties: Tie[] = [];
  if (element.parent !== undefined) {
    const [batch = "", number = "", queue = "", family = ""] = element.parent.split(" ");
    const value = how === "completed" && result?.json !== undefined ? `,"value":${result.json}` : "";
    const reason = verdict?.kind === "bury" ? `,"reason":${JSON.stringify(describeError(verdict.error).toWellFormed())}` : "";
    const outcome = `{"outcome":"${how}"${value}${reason}}`;
    job.childEnd = { batch, number, queue, family, outcome };
    ties.push({ kind: "child", value: `${batch} ${number} ${outcome}` });
  }
  if (mayBeParent(job, element)) ties.push({ kind: "family", value: `${how} ${familyOf(element)}` });
  return ties;
}
