/** What the tasks need of an append-only record in PostgreSQL; one implementation per contender. */
export interface EventStore {
  /** Appends the entry of that number. Resolves when it is committed. */
  readonly append: (seq: number) => Promise<unknown>;
  /** What is committed. */
  readonly recorded: () => Promise<Recorded>;
  /** In what else the record shows, what differs from it; undefined when nothing does. */
  readonly irregularity: () => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}

export interface Recorded {
  readonly total: number;
  readonly distinct: number;
}

export interface EventStoreOptions {
  readonly valkey: string;
  readonly postgres: string;
  readonly name: string;
  readonly payloadBytes: number;
}

export type OpenEventStore = (options: EventStoreOptions) => Promise<EventStore>;
