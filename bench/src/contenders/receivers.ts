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

const implementations: Readonly<Record<string, () => Promise<ConnectReceivers>>> = {
  keyline: async () => (await import("./event-stream-receivers.ts")).connectReceivers,
  "keyline-history": async () => (await import("./event-stream-receivers.ts")).connectReceivers,
  "bare-sse": async () => (await import("./event-stream-receivers.ts")).connectReceivers,
  "socket.io": async () => (await import("./socket-io-receivers.ts")).connectReceivers,
};

/** Connects clients of the contender of that name. */
export async function connectReceivers(contender: string, options: ReceiversOptions): Promise<Receivers> {
  const load = implementations[contender];
  if (!load) throw new Error(`There are no receivers for ${contender}.`);
  const connect = await load();
  return connect(options);
}
