import { Job } from "../queue/job.ts";
import { isCancellation } from "../queue/results/job-errors.ts";
import type { Tick } from "../queue/schedules/schedule-state.ts";
import { EntryAttempt } from "../stream/group/entry-attempt.ts";
import type { Attempt } from "../work/attempt.ts";
import type { Held } from "../work/held.ts";
import type { Trade } from "../work/trade.ts";
import type { Verdict } from "../work/verdict.ts";

/** An attempt that ran, and what became of it. */
export interface Ran {
  /** Of a job. */
  readonly queue: string | undefined;
  /** Of an entry that a consumer group had. */
  readonly stream: string | undefined;
  /** The group of the job; of an entry its consumer group. */
  readonly group: string | undefined;
  readonly id: string;
  /** What the handler got; undefined where it could not be read. */
  readonly data: unknown;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Which tick of which schedule the job was. */
  readonly schedule: Tick | undefined;
  /**
   * `retried`: it failed, and is tried again `delay` milliseconds after that. `snoozed`: it threw a `Snooze`. `dead`: it is a dead letter. `cancelled`:
   * somebody cancelled it while it ran. `lost`: its end did not count, because somebody else had ended the job before.
   */
  readonly outcome: "completed" | "retried" | "snoozed" | "dead" | "cancelled" | "lost";
  readonly error: Error | undefined;
  readonly delay: number | undefined;
}

type End = Pick<Ran, "outcome" | "error" | "delay">;

/** Undefined for what did not run, as it was settled before or not its turn. */
export function ranOf<Unit extends Held<Attempt>>(unit: Unit, { fields, idOf }: Trade<Unit>): Ran | undefined {
  const { attempt, verdict } = unit;
  const end = verdict && endOf(verdict, attempt !== undefined);
  if (!end) return undefined;
  const isJob = attempt instanceof Job;
  return {
    queue: fields["queue"],
    stream: fields["stream"],
    group: isJob ? attempt.group : fields["group"],
    id: idOf(unit) ?? "",
    data: isJob || attempt instanceof EntryAttempt ? attempt.data : undefined,
    attempt: unit.attempts + 1,
    schedule: isJob ? attempt.schedule : undefined,
    ...end,
  };
}

function endOf(verdict: Verdict, hasBegun: boolean): End | undefined {
  const { kind } = verdict;
  if (kind === "settle") return { outcome: "completed", error: undefined, delay: undefined };
  if (kind === "bury") return { outcome: "dead", error: verdict.error, delay: undefined };
  if (kind === "retry") return { outcome: verdict.error ? "retried" : "snoozed", error: verdict.error, delay: verdict.delayMs };
  if (kind === "yield" || !hasBegun) return undefined;
  const lost = isCancellation(verdict.error) ? "cancelled" : "lost";
  return { outcome: verdict.error ? lost : "completed", error: verdict.error, delay: undefined };
}
