import type { Tie } from "../valkey/queue/holding.ts";
import type { HeldJob } from "./held-jobs.ts";

const none: readonly Tie[] = [];

/** What a job is tied to on Valkey outside its held list: its end loosens it. Most jobs are tied to nothing. */
export function tiesOf({ element }: HeldJob<unknown>): readonly Tie[] {
  return element?.hasOwnId ? [{ kind: "id", value: element.id }] : none;
}

/** The same for several, by their place among them. */
export function tiesOfAll(jobs: readonly HeldJob<unknown>[]): readonly (readonly [index: number, tie: Tie])[] {
  const ties: (readonly [number, Tie])[] = [];
  jobs.forEach((job, index) => {
    const own = tiesOf(job);
    if (own !== none) for (const tie of own) ties.push([index, tie]);
  });
  return ties;
}
