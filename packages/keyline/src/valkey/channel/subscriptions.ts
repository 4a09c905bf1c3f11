import type { Logger } from "../../runtime/logger.ts";
import type { ValkeyConnection } from "../client/connection.ts";
import type { ValkeyTarget } from "../client/options.ts";
import { PatternRegistry } from "./pattern-registry.ts";
import { ShardedSubscriptions } from "./sharded-subscriptions.ts";
import { Subscriber, type PubSubListener } from "./subscriber.ts";

/** Subscriptions of this process: one for each pub/sub channel and pattern. */
export interface Subscriptions {
  subscribe(channel: string, listener: PubSubListener): void;
  unsubscribe(channel: string): void;
  subscribePattern(pattern: string, listener: PubSubListener): void;
  unsubscribePattern(pattern: string): void;
  /** True when a publisher must also publish for patterns by itself. */
  hasPatterns(): Promise<boolean>;
  close(): Promise<void>;
}

export interface SubscriptionsSetup {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  readonly logger: Logger;
  readonly silenceMs: number;
}

/** The subscriptions on what is there: one server takes all of them on one connection, a cluster each where its slot is. */
export function createSubscriptions(target: ValkeyTarget, setup: SubscriptionsSetup): Subscriptions {
  if (target.kind === "cluster") return new ShardedSubscriptions(target, { ...setup, registry: new PatternRegistry(setup) });
  return new SingleSubscriptions(target, setup);
}

class SingleSubscriptions implements Subscriptions {
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
