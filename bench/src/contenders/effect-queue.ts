import type { RunningWorker } from "./plain-queue.ts";

/** Whether a handler's writes are made for many jobs at a time, for each job by itself (by a function, or as statements), or in a step that the job remembers. */
export type EffectMode = "batch" | "single" | "statements" | "step";

/** What the tasks need of a queue whose handlers write to PostgreSQL; one implementation per contender. */
export interface EffectQueue {
  /** Adds one job for every number from 0 to `jobs`. */
  readonly addAll: (jobs: number) => Promise<void>;
  /** Starts a worker that writes one row of `effects` for every job; `onHandled` hears how many handlers have finished. */
  readonly work: (mode: EffectMode, onHandled: (jobs: number) => void) => Promise<RunningWorker>;
  /** Jobs that have not come to their end. */
  readonly unfinished: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface EffectQueueOptions {
  readonly valkey: string;
  readonly postgres: string;
  readonly name: string;
  readonly payloadBytes: number;
}

export type OpenEffectQueue = (options: EffectQueueOptions) => Promise<EffectQueue>;
