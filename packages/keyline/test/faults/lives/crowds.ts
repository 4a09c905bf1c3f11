import type { History } from "../places/history.ts";
import { crowdsAbove, without } from "../places/limit-check.ts";

/** So many jobs of each group could run at a time, for certain from `from` until `until`. */
export interface GroupPhase {
  readonly from: number;
  readonly until: number;
  readonly concurrency: number;
}

export interface Crowds {
  readonly history: History;
  readonly phases: readonly GroupPhase[];
  /** When Valkey lost its memory, and with it who runs what. */
  readonly losses: readonly (readonly [from: number, to: number])[];
}

/** Of no group more than that ran at a time. Jobs that were cancelled are none of it: they have lost their place, and their handlers may go on. */
export function judgeCrowds({ history, phases, losses }: Crowds, cancelled: ReadonlySet<string>): string[] {
  const runs = history.runs.filter(({ id }) => !cancelled.has(id));
  return [...Map.groupBy(runs, ({ group }) => group)].flatMap(([group, own]) => {
    if (group === undefined) return [];
    const crowds = phases.flatMap((phase) =>
      without(losses, phase).flatMap(([from, until]) => {
        const lost = losses.findLast(([, to]) => to <= from)?.[1] ?? 0;
        const counted = own.filter((run) => (run.take?.asked ?? run.from) >= lost);
        return crowdsAbove(phase.concurrency, counted, [from, until]);
      }),
    );
    return crowds.map((crowd) => `group ${group}: ${crowd}`);
  });
}
