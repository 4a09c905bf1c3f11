import type { GroupStatus, StreamRates } from "keyline";
import type { Problem } from "../api/basics.ts";
import { leaseProblem } from "../overview/losses.ts";
import { problemTexts } from "../overview/problem-texts.ts";
import { bySeverity } from "../queue/queue-problems.ts";

const longPendingMs = 300_000;

/** What is wrong with the groups of a stream, the worst first. */
export function streamProblems(groups: readonly GroupStatus[] | undefined, rates: StreamRates | undefined, now: number): Problem[] {
  const ofGroups = (groups ?? []).flatMap((group) => [noConsumer(group), stuck(group, now), dead(group)]);
  return [...ofGroups, leaseProblem(rates)].filter((problem) => problem !== undefined).toSorted(bySeverity);
}

function noConsumer({ name, lag, pending, consumers }: GroupStatus): Problem | undefined {
  const entries = lag + pending;
  if (consumers > 0 || entries === 0) return undefined;
  return {
    code: "NO_CONSUMER",
    severity: "critical",
    ...problemTexts.noConsumer(name, entries),
  };
}

function stuck({ name, oldestPendingAt, consumers }: GroupStatus, now: number): Problem | undefined {
  if (oldestPendingAt === undefined || consumers === 0 || now - oldestPendingAt < longPendingMs) return undefined;
  return {
    code: "GROUP_BEHIND",
    severity: "warning",
    ...problemTexts.groupBehind(name, now - oldestPendingAt),
  };
}

function dead({ name, dead }: GroupStatus): Problem | undefined {
  if (dead === 0) return undefined;
  return {
    code: "GROUP_DEAD",
    severity: "warning",
    ...problemTexts.groupDead(name, dead),
  };
}
