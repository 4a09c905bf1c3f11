import type { GroupStatus, StreamRates } from "keyline";
import type { Problem } from "../api/basics.ts";
import { leaseProblem } from "../overview/losses.ts";
import { countOf, durationOf } from "../overview/spoken.ts";
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
    text: `Group ${name} has ${countOf(entries, "entry", "entries")} before it, and no consumer`,
    action: "Start a process that calls consume() for it, or remove the group if nobody needs it any more",
  };
}

function stuck({ name, oldestPendingAt, consumers }: GroupStatus, now: number): Problem | undefined {
  if (oldestPendingAt === undefined || consumers === 0 || now - oldestPendingAt < longPendingMs) return undefined;
  return {
    code: "GROUP_BEHIND",
    severity: "warning",
    text: `The oldest entry that group ${name} has not finished was appended ${durationOf(now - oldestPendingAt)} ago`,
    action: "Start more consumers or raise their concurrency; look at what fails again and again",
  };
}

function dead({ name, dead }: GroupStatus): Problem | undefined {
  if (dead === 0) return undefined;
  return {
    code: "GROUP_DEAD",
    severity: "warning",
    text: `Group ${name} has given up ${countOf(dead, "entry", "entries")}`,
    action: "See its dead letters, and redrive or discard them when the cause is mended",
  };
}
