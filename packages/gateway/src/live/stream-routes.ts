import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { visitorKey } from "../access/token.ts";
import { visitorOf } from "../access/visitor.ts";
import type { ChannelAccess } from "../channels/channel-access.ts";
import type { ChannelExposure } from "../channels/exposures.ts";
import type { RequestLimit } from "../limits/request-limit.ts";
import { shapeName, eventStreamAnswer, problemAnswers } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { LiveConnections } from "./connections.ts";
import { isEventSource } from "./event-source.ts";
import type { Feeds } from "./feeds.ts";
import { lastEventIdOf, openEventStream } from "./open-event-stream.ts";
import { enter, isStalePlace } from "./stale-place.ts";
import { eventStreamWire } from "./wire.ts";

interface StreamParts {
  readonly channels: ChannelAccess;
  readonly requests: RequestLimit;
  readonly feeds: Feeds;
  readonly connections: LiveConnections;
  readonly mostChannels: number;
}

const resumption = {
  since: z.string().optional().describe("Where to resume: an id that was received, or earliest. Last-Event-ID has precedence"),
  ticket: z.string().optional().describe("Instead of a token"),
};

export function addStreamRoutes(routes: Routes, parts: StreamParts): void {
  routes.get(
    "/v1/channels/:channel/messages",
    {
      exposeHeadRoute: false,
      schema: {
        summary: "Follow a channel",
        description: "Events: `message` with { id, channel, data, at }, `gap` with { channel, reason, missed }, `end` with { code }.",
        tags: ["channels"],
        params: z.object({ channel: shapeName }),
        querystring: z.object(resumption),
        response: { ...eventStreamAnswer, ...problemAnswers },
      },
    },
    (request, reply) => openStream(request, reply, { names: [request.params.channel], since: request.query.since, parts }),
  );

  routes.get(
    "/v1/live",
    {
      exposeHeadRoute: false,
      schema: {
        summary: "Follow several channels",
        description: "As for one channel. An id holds the place in each of them, in the order of the address.",
        tags: ["channels"],
        querystring: z.object({
          channel: z.preprocess(
            (value) => (typeof value === "string" ? [value] : value),
            z.array(shapeName).min(1).max(parts.mostChannels),
          ),
          ...resumption,
        }),
        response: { ...eventStreamAnswer, ...problemAnswers },
      },
    },
    (request, reply) => openStream(request, reply, { names: request.query.channel, since: request.query.since, parts }),
  );
}

async function openStream(
  request: FastifyRequest,
  reply: FastifyReply,
  { names, since, parts }: { readonly names: readonly string[]; readonly since: string | undefined; readonly parts: StreamParts },
): Promise<void> {
  const { feeds, connections, requests } = parts;
  const visitor = visitorOf(request);
  const found: ChannelExposure[] = [];
  for (const name of new Set(names)) {
    // The first one was counted by the guard.
    if (found.length > 0) requests.takeHere(visitorKey(visitor));
    found.push(await parts.channels.toRead(visitor, name));
  }
  const channels = found.map(({ channel }) => channel);
  const id = lastEventIdOf(request);
  const place = id ?? since;
  // An EventSource shows the id that it was given, and cannot take it back. For an address its page is answerable.
  const mayBeStale = (error: unknown): boolean => isEventSource(request) && isStalePlace(error, { isGiven: id !== undefined });
  await openEventStream({
    request,
    reply,
    connections,
    prepare: async () => {
      const feed = await feeds.open(channels, eventStreamWire);
      return (stream) => ({ ...enter(feed, stream, { place, mayBeStale }), leave: feed.leave });
    },
  });
}
