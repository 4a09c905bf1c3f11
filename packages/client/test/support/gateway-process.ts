// A gateway in a process of its own, which can be killed: says its address, and ends at a signal.
import { startGateway } from "@keyline/gateway";
import { Keyline } from "keyline";

const { valkey, prefix, port, size } = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly port: number;
  readonly size: number;
};
const keyline = new Keyline({ valkey, prefix });
const channel = keyline.channel("news", { history: { size } });
const { url } = await startGateway({
  keyline,
  channels: [{ channel, access: "public", publish: "public" }],
  streams: [{ stream: keyline.stream("events"), access: "public", append: "public" }],
  limits: { requests: { max: 100_000, perMs: 60_000 } },
  port,
});
console.log(url);
