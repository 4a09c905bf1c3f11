import { ClientError } from "../client-error.ts";
import type { Refusal, SubscriptionFrame } from "../connection/frames.ts";
import type { LastingParts } from "../connection/lasting.ts";
import { call } from "../runtime/call.ts";
import { Inbox } from "./inbox.ts";
import { isGap, type Message } from "./message.ts";
import { OpenSubscription } from "./open-subscription.ts";
import type { IterableSubscription, IterateOptions, SubscribeOptions, Subscription } from "./subscription.ts";

/**
 * Brings frames to the subscriptions that are open. The first of a channel goes by the channel's name alone, so that the gateway can write the same frame
 * to all who do; further ones have numbers, which make their frames their own.
 */
export class Subscriptions {
  readonly #parts: LastingParts;
  /** By number, or by name; one that goes by its name also after its end, until no frame for it can come any more. */
  readonly #byAddress = new Map<number | string | undefined, OpenSubscription>();
  #nextNumber = 1;

  constructor(parts: LastingParts) {
    this.#parts = parts;
  }

  listen<Data>(channel: string, listener: (message: Message<Data>) => void, options: SubscribeOptions): Subscription {
    const subscription = this.#create(channel, options);
    subscription.open({
      take: (item) => {
        subscription.handOver(item);
        // What Data is, the caller says: JSON has no types.
        if (!isGap(item)) call(listener, item as Message<Data>);
        return true;
      },
    });
    return subscription;
  }

  iterate<Data>(channel: string, { buffer = 1_000, ...options }: IterateOptions): IterableSubscription<Data> {
    if (!Number.isSafeInteger(buffer) || buffer < 1) {
      throw new ClientError("INVALID_OPTION", `buffer must be a whole number above 0, not ${String(buffer)}`);
    }
    const subscription = this.#create(channel, options);
    const inbox = new Inbox<Data>(subscription, buffer);
    subscription.open(inbox);
    return Object.assign(subscription, { [Symbol.asyncIterator]: () => inbox });
  }

  take(frame: SubscriptionFrame | Refusal): void {
    this.#byAddress.get(frame.sub ?? frame.channel)?.take(frame);
  }

  #create(channel: string, options: SubscribeOptions): OpenSubscription {
    const { environment, lasting, link, onError } = this.#parts;
    const sub = this.#byAddress.has(channel) ? this.#nextNumber++ : undefined;
    const address = sub ?? channel;
    const onGone = (): void => {
      this.#byAddress.delete(address);
      lasting.delete(subscription);
    };
    const subscription = new OpenSubscription({
      ...options,
      channel,
      environment,
      askFor: (since) => link()?.send({ type: "subscribe", channel, sub, since }),
      onEnd: (error) => {
        // A number is never used again, a name is.
        if (sub) onGone();
        link()?.send({ type: "unsubscribe", channel, sub });
        if (error) onError(error);
      },
      onGone,
    });
    this.#byAddress.set(address, subscription);
    lasting.add(subscription);
    return subscription;
  }
}
