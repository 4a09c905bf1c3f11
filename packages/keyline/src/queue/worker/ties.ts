import type { GroupTie, Tie } from "../../valkey/queue/tie.ts";
import { isStub, type Element } from "../element.ts";
import type { ResultKeeper } from "../results/result-keeper.ts";
import type { EventTeller } from "../events/event-teller.ts";
import { eventTie, retriedText } from "../events/event-tie.ts";
import { familyTies, mayBeParent } from "../families/family-ties.ts";
import { resultTie } from "../results/result-tie.ts";
import type { Audience } from "./audience.ts";
import type { HeldJob } from "./held-jobs.ts";

const none: readonly never[] = [];
const stub: readonly Tie[] = [{ kind: "stub", value: "" }];

interface TiesParts {
  readonly results: ResultKeeper;
  readonly audience: Audience;
  readonly teller: EventTeller;
  readonly hasRecord: boolean;
}

/** What jobs are tied to on Valkey outside their held list: their end loosens it. Most jobs are tied to nothing. */
export class Ties {
  readonly #parts: TiesParts;

  constructor(parts: TiesParts) {
    this.#parts = parts;
  }

  /** Whether a row has the end of each job. */
  get hasRecord(): boolean {
    return this.#parts.hasRecord;
  }

  of(job: HeldJob<unknown>): readonly Tie[] {
    const { element, isCancelled } = job;
    if (!element) return isStub(job.raw) ? stub : none;
    if (job.isOutdated && !isCancelled) return none;
    const { results, audience, teller, hasRecord } = this.#parts;
    const keepMs = results.keepMsOf(element);
    const isTold = keepMs > 0 || audience.awaitsEnds;
    // An attempt before this one may have left something.
    const hasProgress = job.hasProgress || element.attempts > 0 || element.parks > 0;
    const isKin = element.parent !== undefined || mayBeParent(job, element);
    const isTied = element.hasOwnId || element.group !== undefined || element.key !== undefined || isKin;
    if (!isTold && !isCancelled && !isTied && !hasProgress && !audience.followsEvents) return none;
    // First: whoever frees the id takes the mark away that says by whom it was cancelled.
    const ties: Tie[] = isCancelled ? [{ kind: "cancel", value: element.id }] : [];
    if (element.hasOwnId) ties.push({ kind: "id", value: element.id });
    const group = groupTieOf(element);
    if (group) ties.push(group);
    if (element.key !== undefined) ties.push({ kind: "key", value: `${element.id} ${element.key}` });
    if (hasProgress) ties.push({ kind: "progress", value: element.id });
    if (isKin && !hasRecord) ties.push(...familyTies(job, element));
    if (isTold && !isCancelled) ties.push(resultTie(job, { keepMs, hasRecord }));
    if (audience.followsEvents) {
      // That it began goes before that it ended.
      teller.flush();
      const told = eventTie(job);
      if (told) ties.push(told);
    }
    return ties;
  }

  /** What those are told who follow events of an attempt that is followed by another one; undefined where nobody does. */
  retried(job: HeldJob<unknown>, delayMs: number): string | undefined {
    const { audience, teller } = this.#parts;
    if (!audience.followsEvents || !job.element) return undefined;
    teller.flush();
    return retriedText(job, delayMs);
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

export function groupTieOf({ id, group }: Element): GroupTie | undefined {
  return group === undefined ? undefined : { kind: "group", value: id, group };
}
