import type { Placement } from "./placement.ts";

/** A job that is to be added, checked and written as JSON. */
export interface AddRequest {
  readonly id: string;
  readonly isOwnId: boolean;
  readonly dataJson: string;
  readonly maxAttempts: number | undefined;
  /** Undefined for a job that simply goes to the tail. */
  readonly placement: Placement | undefined;
  /** For how many milliseconds its result is kept; undefined where nobody said so. */
  readonly keepMs: number | undefined;
  /** It is the child of another job. */
  readonly isChild?: boolean;
  /** Where somebody wants to know of it: runtime/probe.ts. */
  readonly trace?: string;
}
