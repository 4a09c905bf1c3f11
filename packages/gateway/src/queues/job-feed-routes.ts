import type { LogError } from "../server/message-of.ts";
import { z } from "zod";
import { visitorOf } from "../access/visitor.ts";
import type { LiveConnections } from "../live/connections.ts";
import { isEventSource } from "../live/event-source.ts";
import { lastEventIdOf, openEventStream } from "../live/open-event-stream.ts";
import { isStalePlace } from "../live/stale-place.ts";
import { eventStreamAnswer, problemAnswers, shapeName } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import { gapFrame, JobFeed } from "./job-feed.ts";
import type { QueueAccess } from "./queue-access.ts";

interface FeedParts {
  readonly queues: QueueAccess;
  readonly connections: LiveConnections;
  readonly logError: LogError;
}

export function addJobFeedRoutes(routes: Routes, { queues, connections, logError }: FeedParts): void {
  routes.get(
    "/v1/queues/:queue/events",
    {
      exposeHeadRoute: false,
      schema: {
        summary: "Follow what becomes of a queue's jobs",
        description:
          "Events: `added`, `started`, `progress`, `retried`, `completed`, `dead`, `cancelled`, `paused` and `resumed` with { type, id, at, ... }, `gap` with { reason, missed }, `end` with { code }.",
        tags: ["queues"],
        params: z.object({ queue: shapeName }),
        querystring: z.object({
          since: z.string().optional().describe("Where to resume: an id that was received, or earliest. Last-Event-ID has precedence"),
          ticket: z.string().optional().describe("Instead of a token"),
        }),
        response: { ...eventStreamAnswer, ...problemAnswers },
      },
    },
    async (request, reply) => {
      const queue = queues.find(visitorOf(request), request.params.queue, "seeJobs");
      const id = lastEventIdOf(request);
      const since = id ?? request.query.since;
      await openEventStream({
        request,
        reply,
        connections,
        prepare: () =>
          Promise.resolve((receiver) => {
            const open = (place: string | undefined): JobFeed => new JobFeed({ queue, since: place, receiver, logError });
            try {
              const feed = open(since);
              return { place: id ?? "", leave: () => feed.stop() };
            } catch (error) {
              // An EventSource shows the id that it was given, and cannot take it back.
              if (id === undefined || !isEventSource(request) || !isStalePlace(error, { isGiven: true })) throw error;
              const feed = open(undefined);
              const gaps = gapFrame({ cursor: "", reason: "lost", missed: undefined }).toString();
              return { place: "", gaps, leave: () => feed.stop() };
            }
          }),
      });
    },
  );
}
