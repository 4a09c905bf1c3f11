// A gateway with the default limits in a process of its own. Says its address, and answers each message with what the process holds.
import { setTimeout as wait } from "node:timers/promises";
import { Keyline } from "keyline";
import { startGateway, type ChannelExposure, type StreamExposure } from "../../src/index.ts";
import { secret } from "./gateway.ts";

/** What the process holds, and what its application was asked. */
export interface Holdings {
  readonly connections: number;
  readonly sockets: number;
  /** The most that were there at any time. */
  readonly mostSockets: number;
  readonly timers: number;
  /** What is in use after a collection: the heap, and buffers. */
  readonly bytes: number;
  /** How often the application was asked for a channel or a stream. */
  readonly asked: number;
}

const { valkey, prefix } = JSON.parse(process.argv[2] ?? "{}") as { valkey: string; prefix: string };
const keyline = new Keyline({ valkey, prefix });
const news = keyline.channel("news", { history: {} });
const log = keyline.stream<string>("log", { key: () => "k" });
let asked = 0;
const find = <Exposure>(name: string, known: string, exposure: () => Exposure): Exposure | undefined => {
  asked++;
  return name === known ? exposure() : undefined;
};
const { url, gateway } = await startGateway({
  keyline,
  access: { secret },
  channels: (name): ChannelExposure | undefined => find(name, "news", () => ({ channel: news, access: "public", publish: "token" })),
  streams: (name): StreamExposure | undefined => find(name, "log", () => ({ stream: log, access: "public" })),
  port: 0,
});

const count = (kind: string): number => process.getActiveResourcesInfo().filter((resource) => resource === kind).length;
const countSockets = (): number => count("TCPSocketWrap");
let mostSockets = 0;
setInterval(() => (mostSockets = Math.max(mostSockets, countSockets())), 50);

async function inUse(): Promise<number> {
  if (!globalThis.gc) throw new Error("started without --expose-gc");
  // What the first collection finds to be finalized is freed by the second.
  for (let n = 0; n < 2; n++) {
    globalThis.gc();
    await wait(1);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

process.on("message", () => {
  void inUse().then((bytes) => {
    const holdings = { connections: gateway.connections, sockets: countSockets(), mostSockets, timers: count("Timeout"), bytes, asked };
    process.send?.(holdings satisfies Holdings);
  });
});
// Not beyond a test that was killed.
process.on("disconnect", () => process.exit());
process.send?.({ url });
