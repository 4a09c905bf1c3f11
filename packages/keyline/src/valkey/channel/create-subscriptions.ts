import type { ValkeyTarget } from "../client/options.ts";
import { PatternRegistry } from "./pattern-registry.ts";
import { ShardedSubscriptions } from "./sharded-subscriptions.ts";
import { SingleSubscriptions } from "./single-subscriptions.ts";
import type { Subscriptions, SubscriptionsSetup } from "./subscriptions.ts";

/** The subscriptions on what is there: one server takes all of them on one connection, a cluster each where its slot is. */
export function createSubscriptions(target: ValkeyTarget, setup: SubscriptionsSetup): Subscriptions {
  if (target.kind === "cluster") return new ShardedSubscriptions(target, { ...setup, registry: new PatternRegistry(setup) });
  return new SingleSubscriptions(target, setup);
}
