import type { Tie } from "../../valkey/queue/tie.ts";
import type { Verdict } from "../../work/verdict.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

/** A longer one is looked up by those who wait for it: see scripts/tie-result.lua. */
const longestTold = 4_096;

/**
 * Tells of a job's end, and keeps its result on Valkey where that has the record of it. The end and the notice are one step: a worker that dies before it leaves
 * the job to another one, which tells in its place.
 */
export function resultTie(job: HeldJob<unknown>, { keepMs, hasRecord }: { readonly keepMs: number; readonly hasRecord: boolean }): Tie {
  const { element, result, verdict } = job;
  const id = element?.id ?? "";
  const json = result?.json ?? "";
  const isSmall = json.length <= longestTold;
  const how = howOf(verdict, { hasRecord, hasResult: result !== undefined });
  // Where the record has it Valkey only tells.
  const kept = hasRecord ? 0 : keepMs;
  const told = how === "completed" && kept === 0 && !isSmall ? "look" : how;
  const value = told === "completed" && (isSmall || kept > 0) ? json : "";
  const tie = { kind: "result", value: `${kept} ${told} ${Buffer.byteLength(id)} ${id}${value}` } as const;
  return told === "completed" && isSmall ? { ...tie, told: [id, json, kept] } : tie;
}

// Of a job that was settled before, or by effects of which nothing is kept, only the record knows how it ended.
function howOf(
  verdict: Verdict | undefined,
  { hasRecord, hasResult }: { readonly hasRecord: boolean; readonly hasResult: boolean },
): "completed" | "dead" | "look" {
  if (verdict?.kind === "bury") return "dead";
  const isKnown = hasRecord ? hasResult : verdict?.kind === "settle";
  return isKnown && (verdict?.kind === "settle" || verdict?.kind === "drop") ? "completed" : "look";
}
