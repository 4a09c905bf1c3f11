/** A background service: each has one file, is named by what it does, and runs between start and stop. */
export interface Duty {
  start(): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}
