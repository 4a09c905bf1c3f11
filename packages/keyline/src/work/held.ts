import type { Attempt } from "./attempt.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Where a unit of work is that a shift has taken: `running` until its attempt is over, `ended` until the record says so (where there is
 * one), `recorded` until Valkey knows; `lost` when it is somebody else's.
 */
export type Phase = "running" | "ended" | "recorded" | "lost";

/** A unit of work that a shift has taken and that has not ended: a job, or an entry of a stream for one of its groups. */
export interface Held<Work extends Attempt> {
  /** Attempts that had failed before this one. */
  readonly attempts: number;
  phase: Phase;
  /** What its handler gets; undefined until it was read, and for good where it cannot be. */
  attempt: Work | undefined;
  verdict: Verdict | undefined;
}
