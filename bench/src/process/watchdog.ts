import { readHeadway, type Count } from "./headway.ts";
import type { ProcessPool } from "./process-pool.ts";

const lookEveryMs = 1_000;

/** Nothing of a contender has come any further for too long. */
export class NoProgress extends Error {
  readonly seconds: number;
  /** How far it was, in each thing that somebody waited for. */
  readonly counts: readonly Count[];

  constructor(seconds: number, counts: readonly Count[]) {
    const after = counts.length === 0 ? "" : ` after ${counts.map(describe).join("; ")}`;
    super(`no progress for ${seconds} s${after}`);
    this.seconds = seconds;
    this.counts = counts;
  }
}

/**
 * Does `run`, and throws NoProgress when for `patienceMs` no process has reported anything and no count has moved, of theirs or of the bench's own. The clock
 * stands while nothing is under way that could report: the servers answer in time or throw (servers.ts).
 */
export async function watch<Result>(processes: ProcessPool, patienceMs: number, run: () => Promise<Result>): Promise<Result> {
  const { promise: standstill, reject } = Promise.withResolvers<never>();
  let [movedAt, last] = [performance.now(), ""];
  const look = (): void => {
    const counts = [...processes.counts, ...readHeadway()];
    const now = JSON.stringify([processes.reports, counts]);
    if (now !== last || (!processes.isBusy && counts.length === 0)) [movedAt, last] = [performance.now(), now];
    else if (performance.now() - movedAt >= patienceMs) reject(new NoProgress(Math.round(patienceMs / 1_000), counts));
  };
  const timer = setInterval(look, Math.min(lookEveryMs, patienceMs / 4));
  try {
    return await Promise.race([run(), standstill]);
  } finally {
    clearInterval(timer);
  }
}

function describe({ what, done, of, remark }: Count): string {
  const total = of === undefined ? "" : ` of ${number(of)}`;
  return `${number(done)}${total} ${what}${remark === undefined ? "" : ` (${remark})`}`;
}

function number(value: number): string {
  return value.toLocaleString("en-GB");
}
