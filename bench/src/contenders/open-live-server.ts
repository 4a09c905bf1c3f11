import type { LiveServer, LiveServerOptions, OpenLiveServer } from "./live-server.ts";

/** Loaded on demand: a contender's process never imports another contender. */
const implementations: Readonly<Record<string, () => Promise<OpenLiveServer>>> = {
  keyline: async () => (await import("./keyline-gateway.ts")).open,
  "keyline-history": async () => (await import("./keyline-gateway.ts")).openKept,
  "socket.io": async () => (await import("./socket-io-server.ts")).open,
  "bare-sse": async () => (await import("./bare-sse.ts")).open,
  "bare-sse-history": async () => (await import("./bare-sse-history.ts")).open,
};

export async function openLiveServer(contender: string, options: LiveServerOptions): Promise<LiveServer> {
  const load = implementations[contender];
  if (!load) throw new Error(`There is no live server ${contender}.`);
  const open = await load();
  return open(options);
}

/** Whose way of publishing reaches the clients of that server: a name for openPlainChannel. */
export function publisherFor(contender: string): string {
  return publishers[contender] ?? contender;
}

const publishers: Readonly<Record<string, string>> = {
  "bare-sse": "pub-sub",
  "bare-sse-history": "pub-sub",
  "socket.io": "socket.io-room",
};
