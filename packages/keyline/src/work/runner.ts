import type { Outcome } from "./outcome.ts";

export type Finish<Unit> = (unit: Unit, outcome: Outcome) => void;

/** Calls the handler and says how each attempt ended. */
export interface Runner<Unit, Work> {
  run(unit: Unit, attempt: Work, finish: Finish<Unit>): void;
  /** How many more can begin, when `occupied` are taken and have not ended. */
  room(occupied: number): number;
  /** No more are on their way: begin with what is there. */
  flush(): void;
}
