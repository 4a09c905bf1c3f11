// Following a stream by hand: XADD, and a blocking XREAD behind the last entry that was read.
import type { Valkey } from "iovalkey";
import { payloadsOf, type Payload } from "./payload.ts";
import type { MessageListener, OpenPlainChannel } from "./plain-channel.ts";
import { connect } from "./valkey-connection.ts";

export const open: OpenPlainChannel = async ({ valkey, name, payloadBytes }) => {
  const appender = await connect(valkey);
  const payload = payloadsOf(payloadBytes);
  const readers: Valkey[] = [];
  return {
    publish: (seq) => appender.xadd(name, "*", "data", JSON.stringify(payload(seq))),
    subscribe: async (listeners) => {
      const reader = await connect(valkey);
      readers.push(reader);
      // Ends with its connection.
      void read(reader, name, listeners).catch(() => undefined);
    },
    close: async () => {
      for (const client of [appender, ...readers]) client.disconnect();
    },
  };
};

async function read(client: Valkey, name: string, listeners: readonly MessageListener[]): Promise<void> {
  for (let last = "0"; ;) {
    const reply = await client.xread("BLOCK", 0, "STREAMS", name, last);
    for (const [id, [, text = ""]] of reply?.[0]?.[1] ?? []) {
      const data: Payload = JSON.parse(text);
      for (const listener of listeners) listener(data.seq);
      last = id;
    }
  }
}
