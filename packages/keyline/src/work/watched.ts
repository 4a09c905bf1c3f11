import type { Seam, Taken } from "../runtime/probe.ts";
import type { Outcome } from "./outcome.ts";

/** What a runner needs to tell of its attempts, where somebody wants to know. */
export interface Watched<Unit, Work> {
  readonly seam: Seam;
  /** Those that one call of the handler gets; `isBatch` where there may be several. */
  describe(begun: readonly (readonly [unit: Unit, attempt: Work])[], isBatch: boolean): Taken;
  /** The error by which it ended, where that is one. */
  errorOf(outcome: Outcome): Error | undefined;
}

export function errorOf(outcome: Outcome): Error | undefined {
  return "error" in outcome ? outcome.error : undefined;
}
