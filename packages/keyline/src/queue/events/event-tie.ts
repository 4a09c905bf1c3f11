import type { Tie } from "../../valkey/queue/tie.ts";
import { describeError } from "../../work/verdict.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

const longestError = 500;

/** Tells those who follow what becomes of jobs that this one has ended, in the step that ends it; undefined where that is told elsewhere. */
export function eventTie(job: HeldJob<unknown>): Tie | undefined {
  const { element, verdict, attempts, tookMs, attempt, elsewhere } = job;
  if (!element || elsewhere === "open") return undefined;
  // Whoever ended it may not have told.
  if (elsewhere === "ended") return tieOf("completed", element.id, { again: true });
  if (elsewhere)
    return tieOf("dead", element.id, { attempt: elsewhere.attempts, error: elsewhere.reason.slice(0, longestError).toWellFormed() });
  if (verdict?.kind === "bury") {
    return tieOf("dead", element.id, {
      attempt: verdict.attempts,
      error: describeError(verdict.error).slice(0, longestError).toWellFormed(),
    });
  }
  if (verdict?.kind === "settle" || (verdict?.kind === "drop" && !verdict.error)) {
    const details = attempt ? { attempt: attempts + 1, tookMs: Math.round(tookMs) } : { again: true };
    return tieOf("completed", element.id, details);
  }
  return undefined;
}

/** The same for an attempt that is followed by another one, as retry-told.lua takes it. */
export function retriedText(job: HeldJob<unknown>, delayMs: number): string {
  const { element, verdict, attempts } = job;
  const error = verdict?.kind === "retry" && verdict.error ? describeError(verdict.error).slice(0, longestError).toWellFormed() : undefined;
  return textOf(element?.id ?? "", { attempt: attempts + 1, error, delayMs });
}

function tieOf(what: string, id: string, details: object): Tie {
  return { kind: "event", value: `${what} ${textOf(id, details)}` };
}

function textOf(id: string, details: object): string {
  return `${Buffer.byteLength(id)} ${id}${JSON.stringify(details)}`;
}
