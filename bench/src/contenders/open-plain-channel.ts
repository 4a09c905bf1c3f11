import type { OpenPlainChannel, PlainChannel, PlainChannelOptions } from "./plain-channel.ts";

/** Loaded on demand: a contender's process never imports another contender. */
const implementations: Readonly<Record<string, () => Promise<OpenPlainChannel>>> = {
  keyline: async () => (await import("./keyline-channel.ts")).open,
  "keyline-history": async () => (await import("./keyline-channel.ts")).openKept,
  "keyline-iterated": async () => (await import("./keyline-channel.ts")).openIterated,
  "keyline-follower": async () => (await import("./keyline-follower.ts")).open,
  "keyline-follower-transactional": async () => (await import("./keyline-follower.ts")).open,
  xread: async () => (await import("./xread.ts")).open,
  "pub-sub": async () => (await import("./pub-sub.ts")).open,
  "publish-pipelined": async () => (await import("./pub-sub.ts")).openPipelined,
  "xadd-publish": async () => (await import("./pub-sub.ts")).openKept,
  "socket.io": async () => (await import("./socket-io-channel.ts")).openBetweenServers,
  "socket.io-room": async () => (await import("./socket-io-channel.ts")).openRoom,
};

/** Opens a channel of the contender of that name, with connections of its own. */
export async function openPlainChannel(contender: string, options: PlainChannelOptions): Promise<PlainChannel> {
  const load = implementations[contender];
  if (!load) throw new Error(`There is no channel ${contender}.`);
  const open = await load();
  return open(options);
}
