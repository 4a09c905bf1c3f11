// Pub/sub by hand: one connection to publish, one that is subscribed, JSON parsed once and handed to every listener. With history, XADD and
// PUBLISH travel together, which is the least that a kept message needs; nobody numbers them, so nobody can tell what is missing.
import type { Valkey } from "iovalkey";
import { payloadsOf, type Payload } from "./payload.ts";
import type { MessageListener, OpenPlainChannel } from "./plain-channel.ts";
import { connect } from "./valkey-connection.ts";

type Send = (client: Valkey, name: string, text: string) => Promise<unknown>;

const historySize = 1_000;

export const open: OpenPlainChannel = (options) => openWith((client, name, text) => client.publish(name, text), options);

export const openKept: OpenPlainChannel = (options) =>
  openWith((client, name, text) => {
    const kept = client.xadd(`${name}:history`, "MAXLEN", "~", historySize, "*", "data", text);
    return Promise.all([kept, client.publish(name, text)]);
  }, options);

async function openWith(send: Send, { valkey, name, payloadBytes }: Parameters<OpenPlainChannel>[0]): ReturnType<OpenPlainChannel> {
  const publisher = await connect(valkey);
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
