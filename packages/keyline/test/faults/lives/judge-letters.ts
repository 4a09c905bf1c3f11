import type { Line, Lived } from "./life.ts";

export const isDiscarded = ({ letterActs }: Lived): boolean =>
  letterActs.some(({ what, isTold, isAgain }) => what === "discard" && (isTold || isAgain));

export const isRedriven = ({ letterActs, isRedrivenWithOthers }: Lived): boolean =>
  isRedrivenWithOthers || letterActs.some(({ what, isTold, isAgain }) => what === "redrive" && (isTold || isAgain));

/** What was put back runs again, and what was removed never does. */
export function judgeLetters({ letterActs, end }: Lived, lines: readonly Line[]): string[] {
  const runs = lines.filter(({ what }) => what === "began").map(({ at }) => Number(at));
  const found = letterActs.flatMap(({ what, isTold, called, at }) => {
    if (!isTold) return [];
    if (what === "discard") return runs.some((run) => run > at) ? ["it was discarded, and began afterwards"] : [];
    const isCancelled = "code" in end && end.code === "JOB_CANCELLED";
    return runs.some((run) => run > called) || isCancelled ? [] : ["it was redriven, and did not begin again"];
  });
  const discards = letterActs.filter(({ what, isTold }) => what === "discard" && isTold).length;
  return discards > 1 ? [...found, "it was discarded twice"] : found;
}
