import type { KnownStatus, QueueRates } from "keyline";
import type { Problem } from "../api/basics.ts";
import { leaseProblem } from "../overview/losses.ts";
import { problemTexts } from "../overview/problem-texts.ts";
import { gone, lastOver } from "./counted.ts";

/** What was found out; undefined is what nobody could say. */
export interface QueueSeen {
  readonly counts: KnownStatus | undefined;
  readonly rates: QueueRates | undefined;
  readonly workers: number | undefined;
  readonly oldestWaitingMs: number | undefined;
}

const stalledMs = 60_000;
const longWaitMs = 300_000;
const fewestFailed = 5;
const behindMinutes = 15;
const fewestBehind = 100;

/** What is wrong with a queue, the worst first, each with its cause and what to do. */
export function queueProblems(seen: QueueSeen): Problem[] {
  const found = [
    noWorker(seen),
    stalled(seen),
    failing(seen),
    leaseProblem(seen.rates),
    paused(seen),
    waiting(seen),
    behind(seen),
    dying(seen),
  ];
  return found.filter((problem) => problem !== undefined).toSorted(bySeverity);
}

export function bySeverity(one: Problem, other: Problem): number {
  return Number(other.severity === "critical") - Number(one.severity === "critical");
}

/** While the rows of a queue are away its workers take nothing: that is said of the store, and is nobody's fault here. */
function isServed(counts: KnownStatus | undefined): counts is KnownStatus {
  return counts !== undefined && counts.dead !== undefined;
}

function noWorker({ counts, workers }: QueueSeen): Problem | undefined {
  if (!counts || workers !== 0 || counts.paused) return undefined;
  const jobs = counts.waiting + counts.blocked;
  if (jobs === 0) return undefined;
  return {
    code: "NO_WORKER",
    severity: "critical",
    ...problemTexts.noWorker(jobs),
  };
}

function stalled({ counts, rates, workers, oldestWaitingMs = 0 }: QueueSeen): Problem | undefined {
  if (!isServed(counts) || !rates || !workers || counts.paused || counts.waiting === 0 || oldestWaitingMs < stalledMs) return undefined;
  const recent = lastOver(rates.minutes);
  if (recent.length === 0 || recent.some((minute) => gone(minute) > 0 || minute.failed > 0)) return undefined;
  return {
    code: "STALLED",
    severity: "critical",
    ...problemTexts.stalled(oldestWaitingMs, recent.length),
  };
}

function failing({ rates }: QueueSeen): Problem | undefined {
  if (!rates) return undefined;
  const recent = lastOver(rates.minutes);
  const failed = recent.reduce((sum, minute) => sum + minute.failed, 0);
  const ended = failed + recent.reduce((sum, minute) => sum + minute.completed, 0);
  const share = failed / ended;
  if (failed < fewestFailed || share < 0.1) return undefined;
  return {
    code: "FAILING",
    severity: share >= 0.5 ? "critical" : "warning",
    ...problemTexts.failing(share, recent.length),
  };
}

function paused({ counts }: QueueSeen): Problem | undefined {
  if (!counts?.paused) return undefined;
  const jobs = counts.waiting + counts.blocked;
  if (jobs === 0) return undefined;
  return {
    code: "PAUSED",
    severity: "warning",
    ...problemTexts.paused(jobs),
  };
}

function waiting({ counts, workers, oldestWaitingMs = 0 }: QueueSeen): Problem | undefined {
  if (!isServed(counts) || counts.paused || workers === 0 || counts.waiting === 0 || oldestWaitingMs < longWaitMs) return undefined;
  return {
    code: "LONG_WAIT",
    severity: "warning",
    ...problemTexts.longWait(oldestWaitingMs),
  };
}

function behind({ counts, rates }: QueueSeen): Problem | undefined {
  if (!isServed(counts) || !rates || counts.waiting < fewestBehind) return undefined;
  const recent = lastOver(rates.minutes, behindMinutes);
  const added = recent.reduce((sum, minute) => sum + minute.added, 0);
  const ended = recent.reduce((sum, minute) => sum + gone(minute), 0);
  if (added < fewestBehind || ended >= 0.8 * added) return undefined;
  return {
    code: "FALLING_BEHIND",
    severity: "warning",
    ...problemTexts.behind({ added, ended, minutes: recent.length }),
  };
}

function dying({ rates }: QueueSeen): Problem | undefined {
  const dead = rates?.total.dead ?? 0;
  if (dead === 0) return undefined;
  return {
    code: "DEAD",
    severity: "warning",
    ...problemTexts.dead(dead),
  };
}
