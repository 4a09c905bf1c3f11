/*
 * The gateway as a Fastify plugin. Its routes live in scopes of their own, so that nothing of it - parsers, hooks, error answers - is felt
 * by the other routes of an application. Event streams are in a scope without hooks for answers: Fastify would keep the request of
 * every open stream for them.
 */
import type { FastifyInstance } from "fastify";
import fastifyPlugin from "fastify-plugin";
import type { Logger } from "keyline";
import { Access } from "./access/access.ts";
import { Origins } from "./access/origins.ts";
import type { Revocation } from "./access/revocations.ts";
import { addTicketRoutes } from "./access/ticket-routes.ts";
import { ChannelAccess } from "./channels/channel-access.ts";
import { listChannels } from "./channels/list-channels.ts";
import { addPublishRoutes } from "./channels/publish-routes.ts";
import type { GatewayOptions } from "./gateway-options.ts";
import { ConnectionLimit } from "./limits/connection-limit.ts";
import { defaultLimits, type GatewayLimits } from "./limits/options.ts";
import { RequestLimit } from "./limits/request-limit.ts";
import { LiveConnections } from "./live/connections.ts";
import { answerEventSources } from "./live/event-source.ts";
import { Feeds } from "./live/feeds.ts";
import { addStreamRoutes } from "./live/stream-routes.ts";
import { addHealthRoutes } from "./operations/health-routes.ts";
import { Metrics } from "./operations/metrics.ts";
import { addMetricsRoutes } from "./operations/metrics-routes.ts";
import { addOpenapiRoute, describeRoutes } from "./operations/openapi.ts";
import { ReadinessCheck } from "./operations/readiness.ts";
import { addJobFeedRoutes } from "./queues/job-feed-routes.ts";
import { addJobRoutes } from "./queues/job-routes.ts";
import { QueueAccess } from "./queues/queue-access.ts";
import { addQueueRoutes } from "./queues/queue-routes.ts";
import { listenOnLoopbackOnly } from "./server/loopback.ts";
import { countUnanswered } from "./server/pipelining.ts";
import { addCors } from "./server/cors.ts";
import { messageOf, type LogError } from "./server/message-of.ts";
import { addGuard, furnishScope } from "./server/scope.ts";
import { WaitingSockets } from "./server/waiting-sockets.ts";
import type { Routes } from "./server/zod-schemas.ts";
import { addAppendRoutes } from "./streams/append-routes.ts";
import { addEventRoutes, wantsEvents } from "./streams/event-routes.ts";
import { StreamAccess } from "./streams/stream-access.ts";
import { StreamCounts } from "./streams/stream-counts.ts";
import { FollowDesk } from "./websocket/follow-desk.ts";
import { PresenceDesk } from "./websocket/presence-desk.ts";
import { addSocketRoutes } from "./websocket/socket-routes.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** Set by the plugin `gateway`. */
    readonly gateway: Gateway;
  }
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A running gateway, as its application sees it. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #logger: Logger;
  readonly #access: Access;
  readonly #origins: Origins;
  readonly #connections: LiveConnections;
  readonly #feeds = new Feeds();

  /** @internal */
  constructor(options: GatewayOptions) {
    const { keyline, logger = silent } = options;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#logger = logger;
    this.#connections = new LiveConnections(
      new ConnectionLimit(this.#limits.connections, this.#limits.connectionsPerVisitor),
      this.#limits,
    );
    this.#access = new Access({ keyline, logger, options: options.access, onRevoked: () => this.#endRevoked() });
    this.#connections.isRevoked = ({ visitor }) => visitor.token !== undefined && this.#access.isRevoked(visitor.token);
    this.#connections.onBeat = ({ visitor }) => this.#access.keep(visitor);
    // Without a key only this machine reaches the gateway, under a name that is checked.
    this.#origins = new Origins(options.origins ?? [], { allowsOwn: !this.#access.hasKey });
  }

  /** Live connections at the moment. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Voids one token by its `jti`, or all tokens that a subject was given up to now, at every gateway on this Valkey: their live connections end
   * within seconds, and they are refused from then on, also after a restart. Resolves when the gateways have been told.
   *
   * @example
   * await app.gateway.revoke({ sub: "user-42" });
   */
  revoke(revocation: Revocation): Promise<void> {
    return this.#access.revoke(revocation);
  }

  /**
   * Takes no new live connections and tells the clients of those there to come back elsewhere, at different times. Resolves when all are
   * gone, seconds later at the most. Closing the server does this first.
   */
  drain(): Promise<void> {
    this.#connections.drain();
    return this.#connections.whenEmpty();
  }

  /** @internal */
  async addTo(app: FastifyInstance): Promise<void> {
    if (!this.#access.hasKey) listenOnLoopbackOnly(app.server);
    countUnanswered(app.server);
    const sockets = WaitingSockets.of(app.server, this.#limits.waitingPerAddress);
    app.addHook("onReady", async () => {
      await this.#access.start();
      this.#connections.start(() => {
        this.#feeds.sweep();
        sockets.sweep();
      });
    });
    app.addHook("preClose", () => this.drain());
    app.addHook("onClose", async () => {
      this.#connections.stop();
      this.#feeds.close();
      await this.#access.stop();
    });
    await app.register((scope) => this.#addScopes(scope, sockets));
  }

  async #addScopes(scope: FastifyInstance, sockets: WaitingSockets): Promise<void> {
    const { keyline, queues = [], channels = [], streams = [], origins = [] } = this.#options;
    const counts = new StreamCounts();
    const parts = {
      access: this.#access,
      origins: this.#origins,
      channels: new ChannelAccess(this.#access, channels),
      feeds: this.#feeds,
      streams: new StreamAccess(this.#access, streams),
      counts,
      connections: this.#connections,
      queues: new QueueAccess(this.#access, queues),
      sockets,
      underWay: new ConnectionLimit(Infinity, this.#limits.connectionsPerVisitor),
      requests: new RequestLimit({ keyline, logger: this.#logger, ...this.#limits.requests }),
      mostChannels: this.#limits.channelsPerConnection,
      framesPerSecond: this.#limits.framesPerSecond,
      presence: new PresenceDesk(this.#logError),
      follows: new FollowDesk(counts, this.#logError),
      logError: this.#logError,
    };
    listChannels(channels);
    const metrics = new Metrics({ ...parts, served: { keyline, queues, channels, streams } });
    const { bodyBytes } = this.#limits;
    scope.addHook("onRoute", (route) => void (route.bodyLimit ??= bodyBytes));
    furnishScope(scope, parts);
    await describeRoutes(scope);
    if (origins.length > 0) addCors(scope, this.#origins);

    await scope.register(async (open: Routes) => {
      metrics.watch(open);
      addHealthRoutes(open, { readiness: new ReadinessCheck(keyline), isDraining: () => this.#connections.isDraining });
      addMetricsRoutes(open, { metrics, options: this.#options.metrics });
      addOpenapiRoute(open);
    });
    await scope.register(async (requests: Routes) => {
      metrics.watch(requests);
      addGuard(requests, parts);
      addTicketRoutes(requests, parts.access);
      addQueueRoutes(requests, parts);
      addJobRoutes(requests, parts);
      addPublishRoutes(requests, parts);
      addAppendRoutes(requests, parts);
    });
    await scope.register(async (streams: Routes) => {
      answerEventSources(streams, this.#logError);
      addGuard(streams, parts, { opensConnections: () => true, reconnects: true });
      addStreamRoutes(streams, parts);
      addJobFeedRoutes(streams, parts);
    });
    await scope.register(async (events: Routes) => {
      metrics.watchSome(events, (request) => !wantsEvents(request));
      answerEventSources(events, this.#logError);
      addGuard(events, parts, { opensConnections: wantsEvents, reconnects: true });
      addEventRoutes(events, parts);
    });
    await scope.register(async (sockets) => {
      addGuard(sockets, parts, { opensConnections: () => true });
      await addSocketRoutes(sockets, parts);
    });
  }

  #endRevoked(): void {
    this.#connections.endRevoked();
  }

  readonly #logError: LogError = (error, what, fields = {}) => this.#logger.error({ ...fields, error: messageOf(error) }, what);
}

/**
 * Adds the gateway's routes to a Fastify server, whose own routes do not notice. The handle is `app.gateway`. Behind a proxy give Fastify
 * `trustProxy` with the proxy's addresses, so that limits count clients; names longer than 100 characters need its `maxParamLength`.
 *
 * @example
 * await app.register(gateway, { keyline, channels: [{ channel: news, access: "public" }], access: { secret } });
 */
export const gateway = fastifyPlugin(
  async (app: FastifyInstance, options: GatewayOptions) => {
    const instance = new Gateway(options);
    app.decorate("gateway", instance);
    await instance.addTo(app);
  },
  { name: "@keyline/gateway", fastify: "5.x" },
);
