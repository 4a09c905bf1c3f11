/** Clients of a live server, each on a connection of its own; one implementation for each way to connect. */
export interface Receivers {
  readonly close: () => Promise<void>;
}

export interface ReceiversOptions {
  readonly url: string;
  readonly channel: string;
  readonly count: number;
  /** Called for every message that comes over a connection, with the connection's index and the message's number. */
  readonly onMessage: (receiver: number, seq: number) => void;
  /** Called when a connection ends that nobody closed. */
  readonly onLost: (reason: string) => void;
}

/** Resolves when whatever is published from then on comes over all connections. */
export type ConnectReceivers = (options: ReceiversOptions) => Promise<Receivers>;
