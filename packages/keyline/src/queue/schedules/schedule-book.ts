import type { ScheduleState, Tick } from "./schedule-state.ts";

/** What is due of a queue's schedules, by the server that has them. */
export interface DueSchedules {
  /** The server's time in milliseconds since 1970. */
  readonly now: number;
  /** Those with a tick that is due, or some of them where there are many. */
  readonly due: readonly ScheduleState[];
  /** Milliseconds until there is something to look at again, as far as that is known. */
  readonly nextMs: number | undefined;
}

/** A schedule once ticks of it are made. */
export interface TickedSchedule {
  readonly before: ScheduleState;
  readonly after: ScheduleState;
  readonly ticks: readonly Tick[];
}

/** A job of a schedule besides its ticks. */
export interface ScheduleRun {
  readonly id: string;
  readonly tick: Tick;
  /** The server's time. */
  readonly now: number;
}

/**
 * Where the schedules of a queue are kept. It is one step on its server that a tick is noted and its job added, and that step does nothing
 * when somebody else took it. So a process may die anywhere, and many may try the same.
 */
export interface ScheduleBook {
  read(name: string): Promise<{ readonly now: number; readonly state: ScheduleState | undefined }>;
  /** Writes what was declared, and has workers look what is due. False when the schedule is not as `before` any more: nothing was written then. */
  declare(before: ScheduleState | undefined, after: ScheduleState): Promise<boolean>;
  /** Notes ticks of schedules that are as `before`, and adds their jobs. Returns the names of these; for all others nothing is done. */
  tick(schedules: readonly TickedSchedule[], now: number): Promise<ReadonlySet<string>>;
  /** Adds a job of a schedule that is as `state`, and leaves its ticks as they are. False when it is not as it was: nothing was added then. */
  run(state: ScheduleState, run: ScheduleRun): Promise<boolean>;
  /** False when there was none. */
  remove(name: string): Promise<boolean>;
  /** What reads all of them by their names, a page with each call, until there is none. */
  pages(): () => Promise<readonly ScheduleState[] | undefined>;
  due(): Promise<DueSchedules>;
}
