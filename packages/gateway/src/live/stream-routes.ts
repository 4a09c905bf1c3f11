import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Access } from "../access/access.ts";
import { visitorKey } from "../access/token.ts";
import { visitorOf } from "../access/visitor.ts";
import { requireReading } from "../channels/channel-access.ts";
import type { ChannelDoor, DoorFinder } from "../channels/doors.ts";
import { Problem } from "../server/problem.ts";
import { closeAtNextRequest, isPipelined } from "../server/pipelining.ts";
import { channelName, eventStreamAnswer, problemAnswers } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { LiveConnections } from "./connections.ts";
import { EventStream } from "./event-stream.ts";
import type { Feeds } from "./feeds.ts";
import { parsePlace } from "./place.ts";
import { eventStreamWire } from "./wire.ts";

interface StreamParts {
  readonly access: Access;
  readonly doors: DoorFinder;
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
        params: z.object({ channel: channelName }),
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
            z.array(channelName).min(1).max(parts.mostChannels),
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
  const { access, feeds, connections } = parts;
  const visitor = visitorOf(request);
  const found: ChannelDoor[] = [];
  for (const name of new Set(names)) found.push(await parts.doors.find(name));
  for (const door of found) requireReading(access, visitor, door);
  const lastEventId = request.headers["last-event-id"];
  const place = parsePlace(typeof lastEventId === "string" && lastEventId !== "" ? lastEventId : since, found.length);

  const seat = connections.enter(visitorKey(visitor));
  try {
    const feed = await feeds.open(
      found.map(({ channel }) => channel),
      eventStreamWire,
    );
    const { socket } = request.raw;
    // Answers on one connection come in the order of the requests: what waits behind another answer cannot be a stream of its own.
    if (socket.destroyed || reply.raw.socket !== socket || isPipelined(socket)) {
      throw new Problem({ title: "An event stream needs a connection of its own", status: 400, code: "PIPELINED" });
    }
    const stream = new EventStream(connections, { socket, visitor });
    const start = feed.enter(stream, place);
    reply.hijack();
    stream.begin(reply.raw, reply.getHeaders(), start);
    closeAtNextRequest(socket);
    connections.add(stream, () => {
      seat.leave();
      feed.leave(stream);
    });
  } catch (error) {
    seat.leave();
    throw error;
  }
}
