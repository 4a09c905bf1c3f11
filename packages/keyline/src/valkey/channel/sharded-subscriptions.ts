import type { Cluster } from "iovalkey";
import { clearInterval, performance, queueMicrotask, setInterval, setTimeout } from "../../runtime/clock.ts";
import { toError, type KeylineError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import type { ValkeyTarget } from "../client/options.ts";
import { Setbacks } from "../../runtime/setbacks.ts";
import type { PatternRegistry } from "./pattern-registry.ts";
import { Subscriber, type PubSubListener } from "./subscriber.ts";
import type { Subscriptions, SubscriptionsSetup } from "./subscriptions.ts";

type ClusterTarget = Extract<ValkeyTarget, { readonly kind: "cluster" }>;

interface Placed {
  readonly listener: PubSubListener;
  slot: number | undefined;
  node: string | undefined;
}

const lookEveryMs = 2_000;
const quietMs = 10_000;

/**
 * Subscriptions on a cluster. A channel's messages stay on the node that has its slot, so each subscription goes there, on one
 * connection for each node in use; the client library itself would send it anywhere (valkey-io/iovalkey#13). Every two seconds,
 * and whenever a node refuses, the place of each slot is looked up again.
 */
export class ShardedSubscriptions implements Subscriptions {
  readonly #target: ClusterTarget;
  readonly #setup: SubscriptionsSetup;
  readonly #logger: Logger;
  readonly #registry: PatternRegistry;
  readonly #placed = new Map<string, Placed>();
  readonly #patterns = new Map<string, PubSubListener>();
  /** Patterns that are subscribed to, or are about to be. */
  readonly #wanted = new Map<string, PubSubListener>();
  #fault: KeylineError | undefined;
  readonly #nodes = new Map<string, Subscriber>();
  readonly #stopping = new AbortController();
  /** Nodes that refused, and when they did last. */
  readonly #refusals = new Setbacks<string>();
  readonly #refusedAt = new Map<string, number>();
  #patternNode: string | undefined;
  #look: NodeJS.Timeout | undefined;
  #isPlacing = false;
  #mustPlace = false;

  constructor(target: ClusterTarget, setup: SubscriptionsSetup & { readonly registry: PatternRegistry }) {
    this.#target = target;
    this.#setup = setup;
    this.#logger = setup.logger;
    this.#registry = setup.registry;
    this.#registry.onForgotten = () => {
      for (const listener of this.#patterns.values()) listener.onDisconnected();
    };
    this.#registry.onKnown = () => {
      for (const listener of this.#patterns.values()) listener.onConnected();
    };
    setup.commands.onReady(() => (this.#fault = undefined));
    setup.commands.onFault((fault) => {
      this.#fault = fault;
      for (const { listener } of this.#placed.values()) listener.onRefused(fault);
      for (const listener of this.#wanted.values()) listener.onRefused(fault);
    });
  }

  subscribe(channel: string, listener: PubSubListener): void {
    this.#placed.set(channel, { listener, slot: undefined, node: undefined });
    this.#tellFault(listener);
    this.#start();
  }

  unsubscribe(channel: string): void {
    const placed = this.#placed.get(channel);
    if (placed?.node) this.#nodes.get(placed.node)?.unsubscribe(channel);
    this.#placed.delete(channel);
  }

  subscribePattern(pattern: string, listener: PubSubListener): void {
    this.#wanted.set(pattern, listener);
    this.#tellFault(listener);
    // Only when every publisher knows: what they publish before would be missed without a word.
    void this.#registry.enter().then(() => {
      if (!this.#wanted.has(pattern)) return;
      this.#patterns.set(pattern, listener);
      this.#start();
    });
  }

  unsubscribePattern(pattern: string): void {
    this.#wanted.delete(pattern);
    this.#patterns.delete(pattern);
    if (this.#wanted.size === 0) void this.#registry.leave();
    if (this.#patternNode) this.#nodes.get(`patterns ${this.#patternNode}`)?.unsubscribe(pattern);
  }

  hasPatterns(): Promise<boolean> {
    return this.#registry.hasSubscribers();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#look);
    await this.#registry.close();
    for (const subscriber of this.#nodes.values()) subscriber.close();
  }

  #tellFault(listener: PubSubListener): void {
    const fault = this.#fault;
    if (fault) queueMicrotask(() => listener.onRefused(fault));
  }

  #start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#look ??= setInterval(() => this.#placeSoon(), lookEveryMs).unref();
    this.#placeSoon();
  }

  #placeSoon(): void {
    this.#mustPlace = true;
    if (!this.#isPlacing) void this.#placeAll();
  }

  async #placeAll(): Promise<void> {
    this.#isPlacing = true;
    const { signal } = this.#stopping;
    for (let tries = 0; this.#mustPlace && !signal.aborted;) {
      this.#mustPlace = false;
      try {
        await this.#place();
        tries = 0;
      } catch (error) {
        this.#logger.debug({ error: toError(error).message }, "the cluster's slots could not be looked up yet");
        this.#mustPlace = true;
        await delay(retryDelay(tries++), signal);
      }
    }
    this.#isPlacing = false;
  }

  async #place(): Promise<void> {
    const { commands } = this.#setup;
    await commands.ensureReady(5_000);
    const cluster = commands.client as Cluster;
    await Promise.all([...this.#placed].map(async ([channel, placed]) => (placed.slot ??= await cluster.cluster("KEYSLOT", channel))));
    const ranges = await cluster.cluster("SLOTS");
    const owners = ranges.map(([first, last, primary]) => ({ first, last, node: primary ? `${primary[0]}:${primary[1]}` : "" }));
    for (const [channel, placed] of this.#placed) {
      const { slot } = placed;
      if (slot === undefined) continue;
      const node = owners.find(({ first, last }) => slot >= first && slot <= last)?.node;
      if (node !== undefined && node !== placed.node) this.#move(channel, placed, node);
    }
    this.#placePatterns(owners.map(({ node }) => node));
    this.#closeIdle();
  }

  #move(channel: string, placed: Placed, node: string): void {
    if (placed.node !== undefined) {
      this.#nodes.get(placed.node)?.unsubscribe(channel);
      placed.listener.onDisconnected();
    }
    placed.node = node;
    this.#subscriberOf(node, node).subscribe(channel, "shard", placed.listener);
  }

  /** Patterns are told of everything on any node: one does, as long as it is there. */
  #placePatterns(nodes: readonly string[]): void {
    if (this.#patterns.size === 0) return;
    const before = this.#patternNode;
    const node = before !== undefined && nodes.includes(before) ? before : nodes[0];
    if (node === undefined) return;
    this.#patternNode = node;
    const key = `patterns ${node}`;
    const hasMoved = node !== before;
    if (hasMoved && before !== undefined) {
      this.#nodes.get(`patterns ${before}`)?.close();
      this.#nodes.delete(`patterns ${before}`);
      for (const listener of this.#patterns.values()) listener.onDisconnected();
    }
    const subscriber = this.#subscriberOf(key, node);
    for (const [pattern, listener] of this.#patterns) {
      if (!subscriber.has(pattern)) subscriber.subscribe(pattern, "pattern", listener);
    }
  }

  #subscriberOf(key: string, node: string): Subscriber {
    const known = this.#nodes.get(key);
    if (known) return known;
    const separator = node.lastIndexOf(":");
    const address = { host: node.slice(0, separator), port: Number(node.slice(separator + 1)) };
    const { logger, silenceMs } = this.#setup;
    const subscriber = new Subscriber(
      { kind: "node", options: { ...this.#target.options, ...address } },
      {
        logger,
        silenceMs,
        onRefused: () => {
          // The slot is elsewhere now: whoever was on this connection is asked for anew.
          this.#forget(key);
          setTimeout(() => this.#placeSoon(), this.#pauseAfter(key)).unref();
        },
      },
    );
    this.#nodes.set(key, subscriber);
    return subscriber;
  }

  // Looking up where the slots are works all the while: what ends the growth is that the node has not refused for some time.
  #pauseAfter(key: string): number {
    const now = performance.now();
    if (now - (this.#refusedAt.get(key) ?? -Infinity) > quietMs) this.#refusals.clear(key);
    this.#refusedAt.set(key, now);
    return retryDelay(this.#refusals.note(key) - 1, { first: 100, max: 2_000 });
  }

  #forget(key: string): void {
    const subscriber = this.#nodes.get(key);
    if (!subscriber) return;
    subscriber.close();
    this.#nodes.delete(key);
    for (const placed of this.#placed.values()) {
      if (placed.node !== key) continue;
      placed.node = undefined;
      placed.listener.onDisconnected();
    }
  }

  #closeIdle(): void {
    for (const [key, subscriber] of this.#nodes) {
      if (!subscriber.isIdle) continue;
      subscriber.close();
      this.#nodes.delete(key);
    }
  }
}
