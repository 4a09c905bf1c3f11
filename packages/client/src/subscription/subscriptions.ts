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

/** The subscriptions that are open, by their number on the wire. */
export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #open = new Map<number, OpenSubscription>();
  #nextSub = 1;

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
    for (const subscription of this.#open.values()) subscription.ask();
  }

  take(frame: (SubscriptionFrame | Refusal) & { readonly sub: number }): void {
    this.#open.get(frame.sub)?.take(frame);
  }

  endAll(error: ClientError | undefined): void {
    for (const subscription of this.#open.values()) subscription.end(error);
  }

  #create(channel: string, options: SubscribeOptions): OpenSubscription {
    const { environment, link, onError } = this.#parts;
    const sub = this.#nextSub++;
    const subscription = new OpenSubscription({
      ...options,
      channel,
      sub,
      environment,
      link,
      onEnd: (error) => {
        this.#open.delete(sub);
        link()?.send({ type: "unsubscribe", channel, sub });
        if (error) onError(error);
      },
    });
    this.#open.set(sub, subscription);
    return subscription;
  }
}
