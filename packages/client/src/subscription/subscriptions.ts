import { ClientError } from "../client-error.ts";
import type { Refusal, SubscriptionFrame } from "../connection/frames.ts";
import type { Link } from "../connection/link.ts";
import { call } from "../runtime/call.ts";
import type { Environment } from "../runtime/environment.ts";
import { Inbox } from "./inbox.ts";
import { isGap, type Item, type Message } from "./message.ts";
import { OpenSubscription } from "./open-subscription.ts";
import type { IterableSubscription, IterateOptions, SubscribeOptions, Subscription } from "./subscription.ts";

interface SubscriptionsParts {
  readonly environment: Environment;
  link(): Link | undefined;
  /** A subscription ended otherwise than by its owner. */
  onError(error: ClientError): void;
}

/**
 * The subscriptions that are open. The first of a channel goes by the channel's name alone, so that the gateway can write the same frame
 * to all who do; further ones have numbers, which make their frames their own.
 */
export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #open = new Map<number, OpenSubscription>();
  /** Channel -> the number here of the one that goes by its name; also after its end, until no frame for it can come any more. */
  readonly #byName = new Map<string, number>();
  #nextNumber = 1;

  constructor(parts: SubscriptionsParts) {
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
      end: () => undefined,
    });
    return subscription;
  }

  iterate<Data>(channel: string, { buffer = 1_000, ...options }: IterateOptions): IterableSubscription<Data> {
    if (!Number.isSafeInteger(buffer) || buffer < 1) {
      throw new ClientError("INVALID_OPTION", `buffer must be a whole number of at least 1, not ${String(buffer)}`);
    }
    const subscription = this.#create(channel, options);
    const inbox = new Inbox<Data>({
      capacity: buffer,
      onHandOver: (item) => subscription.handOver(item),
      onReturn: () => subscription.end(),
    });
    subscription.open({
      take: (item) => inbox.take(item as Item<Data>),
      end: (error) => inbox.end(error),
    });
    return Object.assign(subscription, { [Symbol.asyncIterator]: () => inbox });
  }

  /** To be called on every new connection. */
  askAll(): void {
    for (const [channel, number] of this.#byName) if (!this.#open.has(number)) this.#byName.delete(channel);
    for (const subscription of this.#open.values()) subscription.ask();
  }

  take(frame: SubscriptionFrame | Refusal): void {
    const { channel = "", sub = this.#byName.get(channel) } = frame;
    const subscription = sub === undefined ? undefined : this.#open.get(sub);
    if (subscription) subscription.take(frame);
    else if (frame.type === "unsubscribed" && frame.sub === undefined) this.#byName.delete(channel);
  }

  endAll(error: ClientError | undefined): void {
    for (const subscription of this.#open.values()) subscription.end(error);
  }

  #create(channel: string, options: SubscribeOptions): OpenSubscription {
    const { environment, link, onError } = this.#parts;
    const number = this.#nextNumber++;
    const sub = this.#byName.has(channel) ? number : undefined;
    if (sub === undefined) this.#byName.set(channel, number);
    const subscription = new OpenSubscription({
      ...options,
      channel,
      sub,
      environment,
      link,
      onEnd: (error) => {
        this.#open.delete(number);
        link()?.send({ type: "unsubscribe", channel, sub });
        if (error) onError(error);
      },
    });
    this.#open.set(number, subscription);
    return subscription;
  }
}
