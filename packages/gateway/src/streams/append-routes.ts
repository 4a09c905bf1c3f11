import { z } from "zod";
import type { Access } from "../access/access.ts";
import { visitorOf } from "../access/visitor.ts";
import { problemAnswers, streamName } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { StreamDoor, StreamFinder } from "./doors.ts";
import { requireAppending } from "./stream-access.ts";
import type { StreamCounts } from "./stream-counts.ts";

export const idempotencyKey = z
  .string()
  .min(1)
  .max(500)
  .optional()
  .describe("A second append with a key that is still remembered appends nothing");

interface AppendParts {
  readonly access: Access;
  readonly streams: StreamFinder;
  readonly counts: StreamCounts;
}

export function addAppendRoutes(routes: Routes, { access, streams, counts }: AppendParts): void {
  routes.post(
    "/v1/streams/:stream/events",
    {
      schema: {
        summary: "Append an event",
        description: "`appended` is false when the idempotency key was known: then `id` is that of the entry which is there already.",
        tags: ["streams"],
        params: z.object({ stream: streamName }),
        body: z.strictObject({ data: z.unknown().refine((data) => data !== undefined, "is missing"), idempotencyKey }),
        response: { 201: z.object({ id: z.string(), appended: z.boolean() }), ...problemAnswers },
      },
    },
    async (request, reply) => {
      const door = await streams.find(request.params.stream);
      requireAppending(access, visitorOf(request), door);
      const { id, appended } = await append(door, request.body, counts);
      return reply.code(201).send({ id, appended });
    },
  );
}

interface Event {
  readonly data?: unknown;
  readonly idempotencyKey?: string | undefined;
}

/** The stream's own schema says whether the data is its kind. */
export async function append(
  { stream }: StreamDoor,
  { data, idempotencyKey: key }: Event,
  counts: StreamCounts,
): Promise<{ readonly id: string; readonly appended: boolean }> {
  const { id, appended } = await stream.append(data as never, key === undefined ? {} : { idempotencyKey: key });
  if (appended) counts.appended++;
  return { id, appended };
}
