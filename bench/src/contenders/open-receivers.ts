import type { ConnectReceivers, Receivers, ReceiversOptions } from "./receivers.ts";

/** Loaded on demand: a contender's process never imports another contender. */
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
