import { z } from "zod";
import { visitorOf } from "../access/visitor.ts";
import { problemAnswers, shapeName } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import { append, idempotencyKey } from "./append.ts";
import type { StreamAccess } from "./stream-access.ts";
import type { StreamCounts } from "./stream-counts.ts";

interface AppendParts {
  readonly streams: StreamAccess;
  readonly counts: StreamCounts;
}

export function addAppendRoutes(routes: Routes, { streams, counts }: AppendParts): void {
  routes.post(
    "/v1/streams/:stream/events",
    {
      schema: {
        summary: "Append an event",
        description: "`appended` is false when the idempotency key was known: then `id` is that of the entry which is there already.",
        tags: ["streams"],
        params: z.object({ stream: shapeName }),
        body: z.strictObject({ data: z.unknown().refine((data) => data !== undefined, "is missing"), idempotencyKey }),
        response: { 201: z.object({ id: z.string(), appended: z.boolean() }), ...problemAnswers },
      },
    },
    async (request, reply) => {
      const exposure = await streams.toAppend(visitorOf(request), request.params.stream);
      const { id, appended } = await append(exposure, request.body, counts);
      return reply.code(201).send({ id, appended });
    },
  );
}
