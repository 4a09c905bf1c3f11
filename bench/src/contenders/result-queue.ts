/** What the task `pingResult` needs of a queue whose adder waits for the result; one implementation per contender. */
export interface ResultQueue {
  /** Adds a job with this number and resolves with what its handler returned: the number. */
  readonly ask: (seq: number) => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface ResultQueueOptions {
  readonly valkey: string;
  readonly name: string;
  readonly payloadBytes: number;
}
