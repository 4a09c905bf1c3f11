/*
 * DESIGN. One connection that is subscribed to pub/sub channels of one server.
 *
 * 1. What is wanted is a map from name to listener; the connection is made to agree with it. Names that come in one turn of the
 *    event loop are asked for with one command.
 * 2. After every connect all names are asked for anew. A listener hears `onConnected` when the server confirmed its name: from
 *    then on it gets everything that is published, until `onDisconnected`. What was published in between it has to find elsewhere.
 * 3. A subscribed connection is silent as long as nobody publishes. A PING every few seconds makes a half-open one overdue, which
 *    the connection notices.
 */
import { Valkey } from "iovalkey";
import { clearInterval, queueMicrotask, setInterval, setTimeout } from "../../runtime/clock.ts";
import { toError, type KeylineError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { ValkeyConnection } from "../client/connection.ts";
import { lastingFaultOf } from "../client/faults.ts";
import type { ValkeyTarget } from "../client/options.ts";

/** Whoever listens to a pub/sub channel, or to a pattern of them. */
export interface PubSubListener {
  /** `channel` is the pub/sub channel, which differs from what was asked for with a pattern. */
  onMessage(text: string, channel: string): void;
  /** Everything that is published from now on arrives. */
  onConnected(): void;
  /** What is published from now on is missed. */
  onDisconnected(): void;
  /** The server refuses, and will until somebody mends what the error says. It is asked again all the same. */
  onRefused(fault: KeylineError): void;
}

export type SubscriptionKind = "channel" | "shard" | "pattern";

const verbs = {
  channel: ["subscribe", "unsubscribe"],
  shard: ["ssubscribe", "sunsubscribe"],
  pattern: ["psubscribe", "punsubscribe"],
} as const;

const pingEveryMs = 3_000;
const namesPerCommand = 500;
const retryMs = 2_000;

interface Wanted {
  readonly kind: SubscriptionKind;
  readonly listener: PubSubListener;
  state: "asked" | "connected" | "lost";
}

export class Subscriber {
  readonly #connection: ValkeyConnection;
  readonly #client: Valkey;
  readonly #logger: Logger;
  readonly #wanted = new Map<string, Wanted>();
  readonly #changed = new Set<string>();
  readonly #isRefused: (error: Error) => boolean;
  #ping: NodeJS.Timeout | undefined;
  #fault: KeylineError | undefined;
  #isScheduled = false;
  #isClosed = false;

  /** `onRefused` is told when the server is the wrong one for a name, as one of a cluster may be. */
  constructor(
    target: Exclude<ValkeyTarget, { readonly kind: "cluster" }>,
    { logger, silenceMs, onRefused }: { readonly logger: Logger; readonly silenceMs: number; readonly onRefused?: () => void },
  ) {
    this.#logger = logger;
    this.#connection = new ValkeyConnection(target, { logger, silenceMs });
    const { client } = this.#connection;
    if (!(client instanceof Valkey)) throw new TypeError("a subscriber talks to one server");
    this.#client = client;
    this.#isRefused = (error) => {
      const isRefused = /^(MOVED|CLUSTERDOWN|CROSSSLOT)|Command queue state error/.test(error.message);
      if (isRefused) onRefused?.();
      return isRefused;
    };
    // The server ends sharded subscriptions by itself when their slot moves, which the client library takes for an error.
    client.on("error", (error: Error) => void this.#isRefused(error));
    client.on("message", (channel: string, text: string) => this.#wanted.get(channel)?.listener.onMessage(text, channel));
    client.on("smessage", (channel: string, text: string) => this.#wanted.get(channel)?.listener.onMessage(text, channel));
    client.on("pmessage", (pattern: string, channel: string, text: string) => {
      this.#wanted.get(pattern)?.listener.onMessage(text, channel);
    });
    this.#connection.onReady(() => this.#begin());
    this.#connection.onLost(() => this.#lose());
    this.#connection.onFault((fault) => {
      this.#fault = fault;
      for (const { listener } of this.#wanted.values()) listener.onRefused(fault);
    });
  }

  get isIdle(): boolean {
    return this.#wanted.size === 0;
  }

  has(name: string): boolean {
    return this.#wanted.has(name);
  }

  subscribe(name: string, kind: SubscriptionKind, listener: PubSubListener): void {
    this.#wanted.set(name, { kind, listener, state: "lost" });
    this.#change(name);
    const fault = this.#fault;
    if (fault) queueMicrotask(() => listener.onRefused(fault));
  }

  unsubscribe(name: string): void {
    const wanted = this.#wanted.get(name);
    if (!wanted) return;
    this.#wanted.delete(name);
    if (this.#connection.isReady) this.#send(verbs[wanted.kind][1], [name]).catch(() => undefined);
  }

  /** Drops the connection and everything on it; listeners hear nothing more. */
  close(): void {
    this.#isClosed = true;
    this.#wanted.clear();
    clearInterval(this.#ping);
    this.#connection.close();
  }

  #begin(): void {
    this.#fault = undefined;
    clearInterval(this.#ping);
    this.#ping = setInterval(() => {
      if (this.#connection.isReady) this.#client.ping().catch(() => undefined);
    }, pingEveryMs).unref();
    for (const name of this.#wanted.keys()) this.#changed.add(name);
    this.#ask();
  }

  #lose(): void {
    clearInterval(this.#ping);
    if (this.#isClosed) return;
    for (const wanted of this.#wanted.values()) {
      if (wanted.state === "connected") wanted.listener.onDisconnected();
      wanted.state = "lost";
    }
  }

  #change(name: string): void {
    this.#changed.add(name);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#ask();
    });
  }

  #ask(): void {
    if (!this.#connection.isReady || this.#isClosed) return;
    const names = [...this.#changed];
    this.#changed.clear();
    for (const kind of ["channel", "shard", "pattern"] as const) {
      const ofKind = names.filter((name) => this.#wanted.get(name)?.kind === kind);
      // Names of a cluster's shards may be of several slots: one command each, which travel together.
      const size = kind === "shard" ? 1 : namesPerCommand;
      for (let first = 0; first < ofKind.length; first += size) void this.#askFor(kind, ofKind.slice(first, first + size));
    }
  }

  async #askFor(kind: SubscriptionKind, names: readonly string[]): Promise<void> {
    const asked = names.flatMap((name) => this.#wanted.get(name) ?? []);
    for (const wanted of asked) wanted.state = "asked";
    try {
      await this.#send(verbs[kind][0], names);
    } catch (thrown) {
      const error = toError(thrown);
      if (this.#isRefused(error) || !this.#connection.isReady || this.#isClosed) return;
      // One name that is refused, as by an access rule, does not keep the others.
      if (names.length > 1) for (const name of names) void this.#askFor(kind, [name]);
      else this.#askLater(names[0] ?? "", error);
      return;
    }
    for (const wanted of asked) {
      // The connection may have broken, and come back, since.
      if (wanted.state !== "asked") continue;
      wanted.state = "connected";
      wanted.listener.onConnected();
    }
  }

  #askLater(name: string, error: Error): void {
    this.#logger.warn({ error: error.message, key: name }, "Valkey refused a subscription; it is asked for again");
    const fault = lastingFaultOf(error);
    if (fault) this.#wanted.get(name)?.listener.onRefused(fault);
    setTimeout(() => {
      if (this.#wanted.has(name)) this.#change(name);
    }, retryMs).unref();
  }

  #send(command: (typeof verbs)[SubscriptionKind][0 | 1], names: readonly string[]): Promise<unknown> {
    return this.#client[command](...names);
  }
}
