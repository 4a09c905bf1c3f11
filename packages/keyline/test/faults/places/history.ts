import type { TestProcess } from "../../support/processes.ts";

/** A job went to a worker at some moment from `asked` to `answered`. All moments are milliseconds of the clock that all processes of the machine share. */
export interface Take {
  readonly id: string;
  readonly group: string | undefined;
  readonly asked: number;
  readonly answered: number;
}

/** A handler had its job for certain from `from` to `to`. */
export interface Run {
  readonly id: string;
  readonly group: string | undefined;
  readonly from: number;
  readonly to: number;
  /** Undefined where the answer to the take was lost, and the job was found later. */
  readonly take: Take | undefined;
}

/** What the workers of a life have noted. */
export interface History {
  readonly takes: readonly Take[];
  readonly runs: readonly Run[];
  /** Jobs that may have run to their end without it being known: their worker was killed, or lost its lease. */
  readonly doubtful: ReadonlySet<string>;
}

/** A worker's lease may have been over for this long before it heard of it. */
const unheardMs = 10_000;
/** A handler may have ended for this long before its end was known. */
const unsettledMs = 2_000;

export function moment(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

type Noted =
  | ({ readonly what: "taken" } & Take)
  | { readonly what: "began" | "ended"; readonly id: string; readonly group?: string; readonly at: number }
  | { readonly what: "lost"; readonly at: number };

/** Of processes that have ended, `killedAt` those that were killed. Runs of a worker that lost its lease are not certain, and left out. */
export function historyOf(processes: readonly { readonly process: TestProcess; readonly killedAt?: number | undefined }[]): History {
  const takes: Take[] = [];
  const runs: Run[] = [];
  const doubtful = new Set<string>();
  for (const { process, killedAt } of processes) {
    const noted = process.lines as unknown as readonly Noted[];
    const own = noted.filter((line) => line.what === "taken");
    const losses = noted.filter((line) => line.what === "lost").map(({ at }) => at);
    takes.push(...own);
    for (const [index, line] of noted.entries()) {
      if (line.what !== "began") continue;
      const { id, group, at: from } = line;
      const end = noted.find((later, at) => at > index && later.what === "ended" && later.id === id);
      const to = end?.what === "ended" ? end.at : (killedAt ?? from);
      const isLost = losses.some((lost) => to > lost - unheardMs && from < lost);
      if (isLost || (killedAt !== undefined && to > killedAt - unsettledMs)) doubtful.add(id);
      if (isLost) continue;
      runs.push({ id, group, from, to, take: own.findLast((take) => take.id === id && take.answered <= from) });
    }
  }
  return { takes, runs, doubtful };
}
