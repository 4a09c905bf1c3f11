// A gateway in a process of its own: prints its address, and ends at a signal.
import { Keyline } from "keyline";
import { startGateway, type ChannelExposure } from "../../src/index.ts";

const { valkey, prefix } = JSON.parse(process.argv[2] ?? "{}") as { valkey: string; prefix: string };
const keyline = new Keyline({ valkey, prefix });
const channels = (name: string): ChannelExposure => ({ channel: keyline.channel(name, { history: {} }), access: "public" });
const limits = { connectionsPerVisitor: 1_000, requests: { max: 10_000, perMs: 60_000 } };
const { url } = await startGateway({ keyline, channels, limits, port: 0 });
console.log(url);
