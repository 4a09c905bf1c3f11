import type { Rate } from "keyline";
import type { History, Run, Take } from "./history.ts";
import { per } from "./operations.ts";

/** These limits were in force for certain from `from` until `until`. */
export interface LimitPhase {
  readonly from: number;
  readonly until: number;
  readonly concurrency: number | null;
  readonly max: number | null;
  readonly ofGroup: number | null;
}

interface Checked {
  readonly violations: string[];
  /** Jobs that began while there was a limit to be kept: where there is none the check says nothing. */
  readonly looked: number;
}

/**
 * Holds what ran against the limits. A take counts only in windows in which it lies for certain, and a run only as long as it had its job for certain, so nothing is
 * reported that a busy machine could have made. What ran when Valkey lost its memory is not counted any more by anybody.
 */
export function checkLimits(
  { takes, runs }: History,
  phases: readonly LimitPhase[],
  flushes: readonly [from: number, to: number][],
): Checked {
  const violations: string[] = [];
  let looked = 0;
  for (const phase of phases) {
    for (const [from, until] of without(flushes, phase)) {
      const within = takes.filter(({ asked, answered }) => asked >= from && answered <= until);
      if (phase.max !== null) violations.push(...windowsAbove({ max: phase.max, per }, within, "the queue"));
      const ofGroup = phase.ofGroup;
      if (ofGroup !== null) {
        for (const [group, own] of Map.groupBy(within, (take) => take.group))
          if (group !== undefined) violations.push(...windowsAbove({ max: ofGroup, per }, own, `group ${group}`));
      }
      const lost = flushes.findLast(([, to]) => to <= from)?.[1] ?? 0;
      const counted = runs.filter((run) => (run.take?.asked ?? run.from) >= lost);
      if (phase.concurrency !== null) violations.push(...crowdsAbove(phase.concurrency, counted, [from, until]));
      if (phase.max !== null || phase.concurrency !== null) looked += within.length;
    }
  }
  return { violations, looked };
}

/** One at a time of each group, also after a worker died. */
export function checkTurns({ runs }: History, flushes: readonly [from: number, to: number][]): string[] {
  const violations: string[] = [];
  for (const [group, own] of Map.groupBy(runs, (run) => run.group)) {
    if (group === undefined) continue;
    for (const [from, until] of without(flushes, { from: 0, until: Infinity }))
      violations.push(
        ...crowdsAbove(
          1,
          own.filter((run) => (run.take?.asked ?? run.from) >= from),
          [from, until],
        ).map((crowd) => `group ${group}: ${crowd}`),
      );
  }
  return violations;
}

/** More takes in one window than there may be: all of these lie in the same one, whenever exactly they were. */
export function windowsAbove({ max, per }: Rate, takes: readonly Take[], whose: string): string[] {
  return takes.flatMap(({ asked: from }) => {
    const inside = takes.filter(({ asked, answered }) => asked >= from && answered < from + per);
    return inside.length > max
      ? [`${inside.length} of at most ${max} of ${whose} were taken in ${per} ms: ${inside.map(({ id }) => id).join(" ")}`]
      : [];
  });
}

/** What part they are of all that could be taken from the first to the last of them. */
export function shareOf({ max, per }: Rate, takes: readonly Take[]): number {
  const from = Math.min(...takes.map(({ asked }) => asked));
  const until = Math.max(...takes.map(({ answered }) => answered));
  return takes.length / (max * ((until - from) / per + 1));
}

/** More at the same time than there may be, the last one of them taken within these moments. */
export function crowdsAbove(most: number, runs: readonly Run[], [from, until]: readonly [from: number, until: number]): string[] {
  return runs.flatMap((last) => {
    if (!last.take || last.take.asked < from || last.from > until) return [];
    const beside = runs.filter((run) => run.from <= last.from && run.to > last.from);
    return beside.length > most
      ? [`${beside.length} of at most ${most} ran at the same time: ${beside.map(({ id }) => id).join(" ")}`]
      : [];
  });
}

/** What is left of a time without these. */
export function without(
  gaps: readonly (readonly [from: number, to: number])[],
  { from, until }: Pick<LimitPhase, "from" | "until">,
): [from: number, until: number][] {
  let rest: [from: number, until: number][] = [[from, until]];
  for (const [gapFrom, gapTo] of gaps) {
    rest = rest.flatMap(([start, end]): [number, number][] =>
      gapTo <= start || gapFrom >= end
        ? [[start, end]]
        : [
            [start, gapFrom],
            [gapTo, end],
          ],
    );
  }
  return rest.filter(([start, end]) => start < end);
}
