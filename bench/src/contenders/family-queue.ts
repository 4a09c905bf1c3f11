/** What the task needs of a queue whose jobs can have children; one implementation per contender. */
export interface FamilyQueue {
  /** Adds a parent with so many children, each of which carries a number, from `first` on. */
  readonly add: (first: number, children: number) => Promise<void>;
  /** Starts workers for children, which return their numbers, and for parents. */
  readonly work: (handlers: FamilyHandlers) => Promise<{ stop(): Promise<void> }>;
  readonly close: () => Promise<void>;
}

export interface FamilyHandlers {
  child(seq: number): void;
  /** The parent runs. */
  parent(): void;
  /** What the children came to, as it was given to the parent. */
  values(values: readonly number[]): void;
}

export interface FamilyQueueOptions {
  readonly valkey: string;
  /** Undefined for those that need none. */
  readonly postgres: string | undefined;
  readonly name: string;
  readonly payloadBytes: number;
  /** The same jobs without a parent, beside which the others are seen. */
  readonly isWithoutParent: boolean;
}

export type OpenFamilyQueue = (options: FamilyQueueOptions) => Promise<FamilyQueue>;

export const familyConcurrency = 50;
