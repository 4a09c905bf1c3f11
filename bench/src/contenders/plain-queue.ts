import type { Range } from "./in-flight.ts";

/** What the tasks need of a queue that lives in Valkey alone; one implementation per contender. */
export interface PlainQueue {
  /** Adds one job for every number of the range, `inFlight` of them unanswered at any time. */
  readonly addRange: (range: Range, inFlight: number) => Promise<void>;
  /** Starts a worker that calls `handler` with the number of every job and completes the job when that has returned; only some cases wait, and only some contenders. */
  readonly work: (handler: (seq: number) => void | Promise<void>, concurrency: number) => Promise<RunningWorker>;
  /** Jobs that have not come to their end: waiting, or held by somebody. */
  readonly unfinished: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface RunningWorker {
  /** Resolves when every job that the handler was called for is completed in Valkey too. */
  readonly stop: () => Promise<void>;
}

export interface PlainQueueOptions {
  readonly valkey: string;
  readonly name: string;
  readonly payloadBytes: number;
  /** Where a contender that brings a server of its own finds it. */
  readonly nats?: string;
  readonly traits?: JobTraits;
  /** At most `max` jobs begin in any `per` milliseconds. */
  readonly rate?: { readonly max: number; readonly per: number };
}

/** What jobs are given beside their data, so that they do not simply go to the tail of the queue. */
export interface JobTraits {
  readonly delayMs?: number;
  /** High, normal and low priority, by turns. */
  readonly hasPriorities?: boolean;
  /** A group for each job, so many of them by turns. */
  readonly groups?: number;
}

export type OpenPlainQueue = (options: PlainQueueOptions) => Promise<PlainQueue>;
