import { z } from "zod";
import { visitorOf } from "../access/visitor.ts";
import { problemAnswers } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { QueueAccess } from "./queue-access.ts";

/** Those of Keyline's options that can come from outside; Keyline itself checks their values. */
const addOptions = z.strictObject({
  id: z.string().optional(),
  maxAttempts: z.number().optional(),
  delay: z.number().optional(),
  runAt: z.number().optional(),
  priority: z.enum(["high", "normal", "low"]).optional(),
  group: z.string().optional(),
  deduplicate: z.strictObject({ key: z.string(), window: z.number().optional(), keep: z.literal("latest").optional() }).optional(),
});

const queueName = z.object({ queue: z.string().describe("1 to 200 of A-Z a-z 0-9 . _ : -") });
const count = z.number();

export function addQueueRoutes(routes: Routes, { queues }: { readonly queues: QueueAccess }): void {
  routes.get(
    "/v1/queues",
    {
      schema: {
        summary: "The names of the queues that the token is for",
        tags: ["queues"],
        response: { 200: z.object({ queues: z.array(z.string()) }), ...problemAnswers },
      },
    },
    (request) => ({ queues: queues.namesFor(visitorOf(request)) }),
  );

  routes.get(
    "/v1/queues/:queue",
    {
      schema: {
        summary:
          "How many jobs wait, run, are scheduled, are blocked by others of their group, are parked and are dead, and whether the queue is paused",
        tags: ["queues"],
        params: queueName,
        response: {
          200: z.object({
            counts: z.object({ waiting: count, running: count, scheduled: count, blocked: count, parked: count, dead: count }),
            paused: z.boolean(),
            oldestWaitingAt: count.optional(),
            isFromRows: z
              .boolean()
              .describe("Valkey is away, and these are rows: what runs counts as waiting, and `running` and `blocked` say nothing"),
          }),
          ...problemAnswers,
        },
      },
    },
    async (request) => {
      const queue = queues.find(visitorOf(request), request.params.queue, "queues");
      const { waiting, running, scheduled, blocked, parked, dead, paused, oldestWaitingAt, isFromRows } = await queue.counts();
      return { counts: { waiting, running, scheduled, blocked, parked, dead }, paused, oldestWaitingAt, isFromRows };
    },
  );

  routes.post(
    "/v1/queues/:queue/jobs",
    {
      schema: {
        summary: "Add a job",
        description: "`added` is false when the id was known already: the job is there once.",
        tags: ["queues"],
        params: queueName,
        body: z.strictObject({ data: z.unknown().refine((data) => data !== undefined, "is missing"), options: addOptions.optional() }),
        response: { 201: z.object({ id: z.string(), added: z.boolean() }), ...problemAnswers },
      },
    },
    async (request, reply) => {
      const queue = queues.find(visitorOf(request), request.params.queue, "queues");
      const { data, options = {} } = request.body;
      // The queue's own schema says whether the data is its kind.
      const { id, added } = await queue.add(data as never, options);
      return reply.code(201).send({ id, added });
    },
  );
}
