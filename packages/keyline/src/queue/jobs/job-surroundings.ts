/** Where a job is that another one has to do with. */
export interface JobPlace {
  readonly queue: string;
  readonly id: string;
}

/** What a job of a transactional queue remembers. */
export interface JobStep {
  readonly name: string;
  readonly kind: "step" | "sleep" | "signal";
  /** When it was done; of a sleep, or a wait for a signal, that goes on: when that began. In milliseconds since 1970. */
  readonly at: number;
  /** Until when it sleeps or waits at the most. */
  readonly until: number | undefined;
  /** Undefined while it sleeps or waits. */
  readonly outcome: "done" | "timeout" | undefined;
  /** What the step returned, or the signal's data; undefined where that takes more than 64 KiB. */
  readonly value: unknown;
}

/** How many children a job has. */
export interface ChildCounts {
  readonly total: number;
  /** That have not ended. */
  readonly open: number;
  readonly dead: number;
  readonly cancelled: number;
}

/** What belongs to a job that was asked for by its id, where that is known. */
export interface JobSurroundings {
  /** The worker that has it. */
  readonly worker?: string | undefined;
  /** Since when that one runs it, in milliseconds since 1970 by its clock. Workers tell it of the 20 jobs that run for longest, from about a second after somebody has asked. */
  readonly startedAt?: number | undefined;
  /** Why it is dead: the stack of its last error. */
  readonly stack?: string | undefined;
  /** What a job of a transactional queue remembers, in order. */
  readonly steps?: readonly JobStep[] | undefined;
  /** The job whose child it is. */
  readonly parent?: JobPlace | undefined;
  /** On a plain queue `dead` and `cancelled` are of the first 10,000 children. */
  readonly children?: ChildCounts | undefined;
  /** What the death of one of them does to it. */
  readonly onChildDead?: "die" | "ignore" | "value" | undefined;
}
