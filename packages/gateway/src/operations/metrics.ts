import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Keyline } from "keyline";
import { collectMetrics, type MeteredStream } from "keyline/metrics";
import type { ChannelExposures } from "../channels/exposures.ts";
import type { LiveConnections } from "../live/connections.ts";
import { EventStream } from "../live/event-stream.ts";
import type { Feeds } from "../live/feeds.ts";
import type { GatewayQueue } from "../queues/queue-access.ts";
import type { StreamExposures, GatewayStream } from "../streams/exposures.ts";
import type { StreamCounts } from "../streams/stream-counts.ts";

interface MetricsSources {
  readonly connections: LiveConnections;
  readonly feeds: Feeds;
  readonly counts: StreamCounts;
  /** What it serves is told of; what a function finds is not, as there may be any number of it. */
  readonly served: {
    readonly keyline: Keyline;
    readonly queues: readonly GatewayQueue[];
    readonly channels: ChannelExposures;
    readonly streams: StreamExposures;
  };
}

const freshMs = 1_000;

/** What the gateway counts, as Prometheus reads it. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<"method" | "route" | "status">;
  #last: { readonly at: number; readonly text: Promise<string> } | undefined;

  constructor(sources: MetricsSources) {
    const { feeds, counts } = sources;
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: "keyline_gateway_request_seconds",
      help: "Requests that were answered, streams not among them",
      labelNames: ["method", "route", "status"],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
      registers: [],
    });
    this.#registry.registerMetric(this.#requests);
    this.#registry.registerMetric(connectionGauge(sources));
    this.#registry.registerMetric(
      counterOf("keyline_gateway_deliveries_total", "Messages written, one for each connection", () => feeds.deliveries),
    );
    this.#registry.registerMetric(followerGauge(sources));
    this.#registry.registerMetric(
      counterOf("keyline_gateway_entry_deliveries_total", "Entries of streams written, one for each follower", () => counts.deliveries),
    );
    this.#registry.registerMetric(
      counterOf("keyline_gateway_appended_events_total", "Events that clients appended", () => counts.appended),
    );
    this.#registry.registerMetric(endCounter(sources));
    const { keyline, queues, channels, streams } = sources.served;
    collectMetrics(keyline, {
      register: this.#registry,
      queues,
      streams: typeof streams === "function" ? [] : streams.map(({ stream }) => stream).filter(hasGroups),
      channels: typeof channels === "function" ? [] : channels.map(({ channel }) => channel),
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Collected once a second at the most: reading it asks Valkey for every queue. */
  read(): Promise<string> {
    const now = Date.now();
    if (!this.#last || now - this.#last.at > freshMs) this.#last = { at: now, text: this.#registry.metrics() };
    return this.#last.text;
  }

  /** Measures the requests of this scope. */
  watch(scope: FastifyInstance): void {
    scope.addHook("onResponse", (request, reply, done) => {
      this.#observe(request, reply, reply.elapsedTime);
      done();
    });
  }

  /** Measures those requests of a scope that are not streams: a hook for answers would hold on to the others. */
  watchSome(scope: FastifyInstance, isAnswered: (request: FastifyRequest) => boolean): void {
    scope.addHook("onRequest", (request, reply, done) => {
      const startedAt = performance.now();
      if (isAnswered(request)) reply.raw.once("finish", () => this.#observe(request, reply, performance.now() - startedAt));
      done();
    });
  }

  #observe(request: FastifyRequest, reply: FastifyReply, ms: number): void {
    // The route, not the path: a client must not be able to make as many series as it likes.
    const route = request.routeOptions.url ?? "none";
    this.#requests.observe({ method: request.method, route, status: reply.statusCode }, ms / 1_000);
  }
}

// What follows is counted elsewhere, and looked at when somebody reads the metrics.

function connectionGauge({ connections }: MetricsSources): Gauge<"kind"> {
  return new Gauge({
    name: "keyline_gateway_connections",
    help: "Live connections",
    labelNames: ["kind"],
    registers: [],
    collect() {
      const streams = connections.count((connection) => connection instanceof EventStream);
      this.set({ kind: "sse" }, streams);
      this.set({ kind: "ws" }, connections.size - streams);
    },
  });
}

function followerGauge({ counts }: MetricsSources): Gauge {
  return new Gauge({
    name: "keyline_gateway_followers",
    help: "Streams that clients follow, each counted for each client",
    registers: [],
    collect() {
      this.set(counts.followers);
    },
  });
}

/** What only grows. */
function counterOf(name: string, help: string, count: () => number): Counter {
  return new Counter({
    name,
    help,
    registers: [],
    collect() {
      this.reset();
      this.inc(count());
    },
  });
}

function endCounter({ connections }: MetricsSources): Counter<"code"> {
  return new Counter({
    name: "keyline_gateway_connections_ended_total",
    help: "Connections that the gateway ended",
    labelNames: ["code"],
    registers: [],
    collect() {
      this.reset();
      for (const [code, count] of connections.ends) this.inc({ code }, count);
    },
  });
}

/** Every `Stream` has groups; what stands for one need not. */
function hasGroups(stream: GatewayStream): stream is GatewayStream & MeteredStream {
  return "groups" in stream && typeof stream.groups === "function";
}
