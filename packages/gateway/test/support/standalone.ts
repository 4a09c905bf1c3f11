// A gateway in a process of its own: prints its address, and ends at a signal.
import { Keyline } from "keyline";
import { startGateway } from "../../src/index.ts";

const { valkey, prefix } = JSON.parse(process.argv[2] ?? "{}") as { valkey: string; prefix: string };
const keyline = new Keyline({ valkey, prefix });
const channels = [{ channel: keyline.channel("news", { history: {} }), access: "public" }] as const;
const { url } = await startGateway({ keyline, channels, port: 0 });
console.log(url);
