import type { Outcome } from "./outcome.ts";

export type Finish<Unit> = (unit: Unit, outcome: Outcome) => void;

/** What a runner tells its shift. */
export interface RunnerEvents {
  /** More can begin than before. */
  room(): void;
  /** Nothing can run until somebody mends this. */
  fault(error: Error): void;
}

/** Calls the handler and says how each attempt ended. */
export interface Runner<Unit, Work> {
  run(unit: Unit, attempt: Work, finish: Finish<Unit>): void;
  /** How many more can begin, when `occupied` are taken and have not ended. */
  room(occupied: number): number;
  /** No more are on their way: begin with what is there. */
  flush(): void;
  /** Where it needs something before anything can run. */
  watch?(events: RunnerEvents): void;
  close?(): Promise<void>;
}
