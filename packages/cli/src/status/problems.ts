import type { GroupStatus, KnownStatus } from "keyline";
import { duration } from "../output/times.ts";

/** Why something is not as it should be. */
export interface Problem {
  readonly code: "NO_WORKER" | "NO_CONSUMER" | "PAUSED" | "OLD" | "DYING";
  readonly text: string;
}

interface Seen {
  /** Undefined where that is not known. */
  readonly workers: number | undefined;
  /** How many died lately. */
  readonly died: number;
  readonly now: number;
  /** How long the oldest may have waited. */
  readonly maxAgeMs: number;
}

/** The time in which a dead letter counts as one that died lately. */
export const latelyMinutes = 5;

export function queueProblems({ waiting, paused, oldestWaitingAt }: KnownStatus, { workers, died, now, maxAgeMs }: Seen): Problem[] {
  const age = waiting > 0 && oldestWaitingAt !== undefined ? now - oldestWaitingAt : 0;
  const problems: Problem[] = [];
  if (waiting > 0 && paused) problems.push({ code: "PAUSED", text: `it is paused, and ${waiting} wait` });
  else if (waiting > 0 && workers === 0) problems.push({ code: "NO_WORKER", text: `${waiting} wait, and it has no worker` });
  if (age > maxAgeMs) problems.push({ code: "OLD", text: `the oldest has waited for ${duration(age)}` });
  if (died > 0) problems.push({ code: "DYING", text: `${died} died in the last ${latelyMinutes} minutes` });
  return problems;
}

export function groupProblems(
  { name, lag, consumers, oldestPendingAt }: GroupStatus,
  { now, maxAgeMs }: Pick<Seen, "now" | "maxAgeMs">,
): Problem[] {
  const age = oldestPendingAt === undefined ? 0 : now - oldestPendingAt;
  const problems: Problem[] = [];
  if (lag > 0 && consumers === 0) problems.push({ code: "NO_CONSUMER", text: `group ${name} has ${lag} to come, and no consumer` });
  if (age > maxAgeMs) problems.push({ code: "OLD", text: `an entry of group ${name} is not finished after ${duration(age)}` });
  return problems;
}
