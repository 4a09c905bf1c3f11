import { Keyline, type ChannelOptions, type Subscription } from "keyline";
import { payloadsOf, type Payload } from "./payload.ts";
import type { MessageListener, OpenPlainChannel } from "./plain-channel.ts";

type Subscribe = (channel: ReturnType<typeof Keyline.prototype.channel<Payload>>, listener: MessageListener) => Subscription<Payload>;

const withListener: Subscribe = (channel, listener) => channel.subscribe(({ data }) => listener(data.seq));

const iterated: Subscribe = (channel, listener) => {
  const subscription = channel.subscribe();
  void (async () => {
    for await (const { data } of subscription) listener(data.seq);
  })();
  return subscription;
};

/** With history as it is by default: 1,000 messages, each for a day. */
export const historyOptions: ChannelOptions = { history: {} };

export const open: OpenPlainChannel = (options) => openWith({}, withListener, options);
export const openKept: OpenPlainChannel = (options) => openWith(historyOptions, withListener, options);
export const openIterated: OpenPlainChannel = (options) => openWith({}, iterated, options);

async function openWith(
  channelOptions: ChannelOptions,
  subscribe: Subscribe,
  { valkey, name, payloadBytes }: Parameters<OpenPlainChannel>[0],
): ReturnType<OpenPlainChannel> {
  const keyline = new Keyline({ valkey });
  const channel = keyline.channel<Payload>(name, channelOptions);
  const payload = payloadsOf(payloadBytes);
  return {
    publish: (seq) => channel.publish(payload(seq)),
    subscribe: async (listeners) => {
      const subscriptions = listeners.map((listener) => subscribe(channel, listener));
      await Promise.all(subscriptions.map(({ ready }) => ready));
    },
    close: () => keyline.close(),
  };
}
