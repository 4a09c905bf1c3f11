import type { Goal } from "./case.ts";
import type { CaseResult, ContenderResult } from "./rounds.ts";

export interface Verdict {
  /** For a reader: "at least 12 x bullmq". */
  readonly goal: string;
  readonly contender: string;
  readonly figure: string;
  /** The ratio or the figure that the goal bounds; missing when a contender that it needs has none. */
  readonly reached?: number;
  readonly isMet: boolean;
}

/** Holds a case's figures against its goals; a goal against a contender that this machine does not have is left out with it. */
export function judge(result: CaseResult): Verdict[] {
  const isMissing = (contender: string): boolean => result.missing.some((line) => line.startsWith(`${contender}: `));
  const goals = result.benchCase.goals.filter(({ against = [] }) => !against.some(isMissing));
  return goals.map((goal) => {
    const reached = reach(goal, result);
    const isMet = reached !== undefined && reached >= (goal.atLeast ?? -Infinity) && reached <= (goal.atMost ?? Infinity);
    const verdict = { goal: wording(goal, result), contender: subjectOf(goal, result), figure: goal.figure, isMet };
    return reached === undefined ? verdict : { ...verdict, reached };
  });
}

/** The goals of one figure as a reader needs them beside it: "at least 12 x bullmq, 5 x bee-queue". */
export function wordGoals({ benchCase }: CaseResult, figure: string): string {
  const own = benchCase.goals.filter((goal) => goal.figure === figure && subjectOf(goal, { benchCase }) === benchCase.contenders[0]);
  const bounds = own.map(({ atLeast, atMost, against }) => {
    const bound = count(atLeast ?? atMost);
    return against ? `${bound} x ${against.join(" and ")}` : bound;
  });
  if (bounds.length === 0) return "";
  return `${own[0]?.atLeast === undefined ? "at most" : "at least"} ${bounds.join(", ")}`;
}

function subjectOf(goal: Goal, { benchCase }: Pick<CaseResult, "benchCase">): string {
  return goal.of ?? benchCase.contenders[0] ?? "";
}

function reach(goal: Goal, result: CaseResult): number | undefined {
  const own = figureOf(result.contenders, subjectOf(goal, result), goal.figure);
  if (own === undefined || !goal.against) return own;
  const rivals = goal.against.map((rival) => figureOf(result.contenders, rival, goal.figure));
  if (rivals.length === 0 || rivals.includes(undefined)) return undefined;
  const present = rivals.filter((rival) => rival !== undefined);
  const isLowerBetter = result.benchCase.figures[goal.figure]?.better === "lower";
  return own / (isLowerBetter ? Math.min(...present) : Math.max(...present));
}

function figureOf(contenders: readonly ContenderResult[], name: string, figure: string): number | undefined {
  return contenders.find((result) => result.contender === name)?.figures[figure];
}

function wording(goal: Goal, result: CaseResult): string {
  const kind = result.benchCase.figures[goal.figure];
  const bound = goal.atLeast === undefined ? `at most ${count(goal.atMost)}` : `at least ${count(goal.atLeast)}`;
  if (!goal.against) return `${bound} ${kind?.unit ?? ""}`.trim();
  const rival = goal.against.length > 1 ? `the better of ${goal.against.join(" and ")}` : goal.against.join();
  return `${bound} x ${rival}`;
}

function count(bound: number | undefined): string {
  return bound?.toLocaleString("en-GB") ?? "";
}
