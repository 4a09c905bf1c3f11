import type { Tie } from "../../valkey/queue/holding.ts";
import { isStub, type Element } from "../element.ts";
import type { ResultKeeper } from "../results/result-keeper.ts";
import { resultTie } from "../results/result-tie.ts";
import type { Audience } from "./audience.ts";
import type { HeldJob } from "./held-jobs.ts";

const none: readonly never[] = [];
const stub: readonly Tie[] = [{ kind: "stub", value: "" }];

/** What jobs are tied to on Valkey outside their held list: their end loosens it. Most jobs are tied to nothing. */
export class Ties {
  readonly #parts: { readonly results: ResultKeeper; readonly audience: Audience; readonly hasRecord: boolean };

  constructor(parts: { readonly results: ResultKeeper; readonly audience: Audience; readonly hasRecord: boolean }) {
    this.#parts = parts;
  }

  of(job: HeldJob<unknown>): readonly Tie[] {
    const { element, isCancelled } = job;
    if (!element) return isStub(job.raw) ? stub : none;
    const { results, audience, hasRecord } = this.#parts;
    const keepMs = results.keepMsOf(element);
    const isTold = keepMs > 0 || audience.awaitsEnds;
    if (!isTold && !isCancelled && !element.hasOwnId && element.group === undefined && element.key === undefined) return none;
    const ties: Tie[] = element.hasOwnId ? [{ kind: "id", value: element.id }] : [];
    const group = groupTieOf(element);
    if (group) ties.push(group);
    if (element.key !== undefined) ties.push({ kind: "key", value: `${element.id} ${element.key}` });
    if (isCancelled) ties.push({ kind: "cancel", value: element.id });
    else if (isTold) ties.push(resultTie(job, { keepMs, hasRecord }));
    return ties;
  }

  /** The same for several, by their place among them. */
  ofAll(jobs: readonly HeldJob<unknown>[]): readonly (readonly [index: number, tie: Tie])[] {
    let ties: (readonly [number, Tie])[] | undefined;
    for (let index = 0; index < jobs.length; index++) {
      const job = jobs[index];
      const own = job ? this.of(job) : none;
      if (own === none) continue;
      ties ??= [];
      for (const tie of own) ties.push([index, tie]);
    }
    return ties ?? none;
  }
}

export function groupTieOf({ id, group }: Element): Tie | undefined {
  return group === undefined ? undefined : { kind: "group", value: `${id} ${group}` };
}
