// Pub/sub by hand: one connection to publish, one that is subscribed, JSON parsed once and handed to every listener. With history, XADD and
// PUBLISH travel together, which is the least that a kept message needs; nobody numbers them, so nobody can tell what is missing.
import type { Valkey } from "iovalkey";
import { payloadsOf, type Payload } from "./payload.ts";
import type { MessageListener, OpenPlainChannel } from "./plain-channel.ts";
import { connect } from "./valkey-connection.ts";

interface Way {
  readonly send: (client: Valkey, name: string, text: string) => Promise<unknown>;
  /** Whether commands of one turn of the event loop travel together: more of them a second, each of them later. */
  readonly isPipelined: boolean;
}

const historySize = 1_000;

const publish: Way["send"] = (client, name, text) => client.publish(name, text);

const keepAndPublish: Way["send"] = (client, name, text) => {
  const kept = client.xadd(`${name}:history`, "MAXLEN", "~", historySize, "*", "data", text);
  return Promise.all([kept, client.publish(name, text)]);
};

export const open: OpenPlainChannel = (options) => openWith({ send: publish, isPipelined: false }, options);
export const openPipelined: OpenPlainChannel = (options) => openWith({ send: publish, isPipelined: true }, options);
export const openKept: OpenPlainChannel = (options) => openWith({ send: keepAndPublish, isPipelined: true }, options);

async function openWith(
  { send, isPipelined }: Way,
  { valkey, name, payloadBytes }: Parameters<OpenPlainChannel>[0],
): ReturnType<OpenPlainChannel> {
  const publisher = await connect(valkey, { enableAutoPipelining: isPipelined });
  const payload = payloadsOf(payloadBytes);
  const subscribers: Valkey[] = [];
  return {
    publish: (seq) => send(publisher, name, JSON.stringify({ data: payload(seq) })),
    subscribe: async (listeners) => {
      const subscriber = await connect(valkey);
      subscribers.push(subscriber);
      subscriber.on("message", (_channel: string, text: string) => hand(text, listeners));
      await subscriber.subscribe(name);
    },
    close: async () => {
      for (const client of [publisher, ...subscribers]) client.disconnect();
    },
  };
}

function hand(text: string, listeners: readonly MessageListener[]): void {
  const { data }: { data: Payload } = JSON.parse(text);
  for (const listener of listeners) listener(data.seq);
}
