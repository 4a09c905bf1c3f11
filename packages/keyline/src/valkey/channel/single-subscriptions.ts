import type { ValkeyTarget } from "../client/options.ts";
import { Subscriber, type PubSubListener } from "./subscriber.ts";
import type { Subscriptions, SubscriptionsSetup } from "./subscriptions.ts";

/** On one server one connection takes all of them. */
export class SingleSubscriptions implements Subscriptions {
  readonly #connect: () => Subscriber;
  #subscriber: Subscriber | undefined;

  constructor(target: Exclude<ValkeyTarget, { readonly kind: "cluster" }>, setup: SubscriptionsSetup) {
    this.#connect = () => (this.#subscriber ??= new Subscriber(target, setup));
  }

  subscribe(channel: string, listener: PubSubListener): void {
    this.#connect().subscribe(channel, "channel", listener);
  }

  unsubscribe(channel: string): void {
    this.#subscriber?.unsubscribe(channel);
  }

  subscribePattern(pattern: string, listener: PubSubListener): void {
    this.#connect().subscribe(pattern, "pattern", listener);
  }

  unsubscribePattern(pattern: string): void {
    this.#subscriber?.unsubscribe(pattern);
  }

  hasPatterns(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): Promise<void> {
    this.#subscriber?.close();
    return Promise.resolve();
  }
}
