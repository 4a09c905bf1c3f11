/** What the tasks need of messages to everybody who listens; one implementation per contender. */
export interface PlainChannel {
  /** Publishes the message of that number. Resolves when the contender has an answer, for those that wait for one. */
  readonly publish: (seq: number) => Promise<unknown>;
  /** Calls each listener with the number of every message. Resolves when whatever is published from then on arrives. */
  readonly subscribe: (listeners: readonly MessageListener[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

export type MessageListener = (seq: number) => void;

export interface PlainChannelOptions {
  readonly valkey: string;
  readonly name: string;
  readonly payloadBytes: number;
  /** For those that keep a record there. */
  readonly postgres?: string;
}

export type OpenPlainChannel = (options: PlainChannelOptions) => Promise<PlainChannel>;
