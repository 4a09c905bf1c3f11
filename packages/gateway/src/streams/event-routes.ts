import type { LogError } from "../server/message-of.ts";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { visitorOf } from "../access/visitor.ts";
import type { LiveConnections } from "../live/connections.ts";
import { isEventSource } from "../live/event-source.ts";
import { lastEventIdOf, openEventStream } from "../live/open-event-stream.ts";
import { isStalePlace } from "../live/stale-place.ts";
import { problemAnswers, shapeName } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import { findBeginning } from "./beginning.ts";
import type { GatewayStream } from "./exposures.ts";
import { readPage } from "./event-page.ts";
import { Follow } from "./follow.ts";
import { followEventWire } from "./follow-wire.ts";
import type { StreamAccess } from "./stream-access.ts";
import type { StreamCounts } from "./stream-counts.ts";

interface EventParts {
  readonly streams: StreamAccess;
  readonly connections: LiveConnections;
  readonly counts: StreamCounts;
  readonly logError: LogError;
}

const mostEntries = 1_000;
const place = z.string().describe("An id, milliseconds since 1970, or a time as in ISO 8601");

const query = z.object({
  from: place.default("-").describe("Where to begin, included"),
  to: place.default("+").describe("Where to end, included"),
  limit: z.coerce.number().int().min(1).max(mostEntries).default(100),
  reverse: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true")
    .describe("Newest first"),
  key: z.string().min(1).max(500).optional().describe("Only entries of this key"),
  after: place.optional().describe('Of an event stream: behind which place, "-" for the beginning. Last-Event-ID has precedence'),
  ticket: z.string().optional().describe("Of an event stream: instead of a token"),
});

const answer = {
  200: {
    description: "Entries, and in `next` where the next page begins: its `from`, or newest first its `to`. Or server-sent events",
    content: {
      "application/json": {
        schema: z.object({
          entries: z.array(z.object({ id: z.string(), data: z.unknown(), at: z.number(), key: z.string().nullable() })),
          next: z.string().nullable(),
        }),
      },
      "text/event-stream": { schema: z.string() },
    },
  },
};

/** True for a request that asks for a stream of events, and not for a page. */
export function wantsEvents({ headers }: Pick<FastifyRequest, "headers">): boolean {
  return /\btext\/event-stream\b/i.test(headers.accept ?? "");
}

export function addEventRoutes(routes: Routes, parts: EventParts): void {
  routes.get(
    "/v1/streams/:stream/events",
    {
      exposeHeadRoute: false,
      schema: {
        summary: "Read a stream, or follow it",
        description:
          "With `Accept: text/event-stream` it follows: `entry` with { id, data, at, key }, `gap` with { reason, after, until }, `end` with { code }.",
        tags: ["streams"],
        params: z.object({ stream: shapeName }),
        querystring: query,
        response: { ...answer, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const { stream } = await parts.streams.toRead(visitorOf(request), request.params.stream);
      if (!wantsEvents(request)) return reply.type("application/json").send(await readPage(stream, request.query));
      return follow(stream, { request, reply, parts, ...request.query });
    },
  );
}

interface Beginning {
  readonly request: FastifyRequest;
  readonly after?: string | undefined;
  readonly key?: string | undefined;
}

interface Following extends Beginning {
  readonly reply: FastifyReply;
  readonly parts: EventParts;
}

async function follow(stream: GatewayStream, { request, reply, parts, after, key }: Following): Promise<void> {
  const { connections, counts, logError } = parts;
  await openEventStream({
    request,
    reply,
    connections,
    prepare: async () => {
      const { beginning, gaps } = await begin(stream, { request, after, key });
      return (receiver) => {
        const onEnd = (code: "CLOSED" | "INTERNAL_ERROR"): void => receiver.end(code);
        const running = new Follow({ stream, after: beginning, key, receiver, wire: followEventWire, counts, onEnd, logError });
        return { place: beginning, gaps, leave: () => running.stop() };
      };
    },
  });
}

/** An EventSource shows the id that it was given, and cannot take it back: where it is no place any more, it goes on from now, behind a gap. */
async function begin(
  stream: GatewayStream,
  { request, after, key }: Beginning,
): Promise<{ readonly beginning: string; readonly gaps: string }> {
  const id = lastEventIdOf(request);
  try {
    return { beginning: await findBeginning(stream, { after: id ?? after, key }), gaps: "" };
  } catch (error) {
    if (id === undefined || !isEventSource(request) || !isStalePlace(error, { isGiven: true })) throw error;
    const beginning = await findBeginning(stream, { after: undefined, key });
    return { beginning, gaps: followEventWire.gap({ stream: stream.name, reason: "lost", after: "-", until: beginning }).toString() };
  }
}
