import { z } from "zod";
import { visitorOf } from "../access/visitor.ts";
import { Problem } from "../server/problem.ts";
import { problemAnswers, shapeName } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import { jobAnswer, jobStates, tellJob } from "./job-answer.ts";
import { readJobs } from "./job-page.ts";
import type { QueueAccess } from "./queue-access.ts";

const mostJobs = 200;

const ofQueue = z.object({ queue: shapeName });
const ofJob = z.object({ queue: shapeName, id: z.string() });
const tags = ["queues"];

/** See jobs and change them, for tokens that list the queue for that. */
export function addJobRoutes(routes: Routes, { queues }: { readonly queues: QueueAccess }): void {
  routes.get(
    "/v1/queues/:queue/jobs",
    {
      schema: {
        summary: "The jobs of a queue that have not ended, and its dead letters, page by page",
        tags,
        params: ofQueue,
        querystring: z.object({
          state: jobStates.optional(),
          group: z.string().optional(),
          contains: z.string().optional().describe("a text in their data: of dead and scheduled jobs of a transactional queue"),
          error: z.string().optional().describe("a text in what their last attempts failed with: of dead and scheduled jobs"),
          limit: z.coerce.number().int().min(1).max(mostJobs).default(50),
          cursor: z.string().optional().describe("`next` of the page before, with the same filter"),
        }),
        response: { 200: z.object({ jobs: z.array(jobAnswer).readonly(), next: z.string().nullable() }), ...problemAnswers },
      },
    },
    (request) => {
      const queue = queues.find(visitorOf(request), request.params.queue, "seeJobs");
      // What was left out is no filter; the library says which of them go together.
      const given = Object.fromEntries(Object.entries(request.query).filter(([, value]) => value !== undefined));
      return readJobs(queue, { ...given, limit: request.query.limit });
    },
  );

  routes.get(
    "/v1/queues/:queue/jobs/:id",
    { schema: { summary: "A job, and where it is", tags, params: ofJob, response: { 200: jobAnswer, ...problemAnswers } } },
    async (request) => {
      const { queue, id } = request.params;
      const found = await queues.find(visitorOf(request), queue, "seeJobs").job(id);
      if (found) return tellJob(found);
      throw new Problem({ title: `There is no job ${id}, and nothing is remembered of it`, status: 404, code: "JOB_UNKNOWN" });
    },
  );

  routes.post(
    "/v1/queues/:queue/jobs/:id/cancel",
    {
      schema: {
        summary: "Cancel a job",
        description: "`was` says what it was. One that runs is aborted within a second.",
        tags,
        params: ofJob,
        response: { 200: z.object({ was: z.enum(["waiting", "scheduled", "running", "dead", "unknown"]) }), ...problemAnswers },
      },
    },
    async (request) => {
      const { queue, id } = request.params;
      return { was: await queues.find(visitorOf(request), queue, "changeJobs").cancel(id) };
    },
  );

  routes.post(
    "/v1/queues/:queue/jobs/:id/promote",
    {
      schema: {
        summary: "Make a scheduled job due now",
        description: "`promoted` is false when it is not scheduled.",
        tags,
        params: ofJob,
        response: { 200: z.object({ promoted: z.boolean() }), ...problemAnswers },
      },
    },
    async (request) => {
      const { queue, id } = request.params;
      return { promoted: await queues.find(visitorOf(request), queue, "changeJobs").promote(id) };
    },
  );

  routes.post(
    "/v1/queues/:queue/jobs/:id/update",
    {
      schema: {
        summary: "Change a job that no worker has",
        description: "`updated` is false when nothing was changed; `state` says why.",
        tags,
        params: ofJob,
        body: z.strictObject({
          data: z.unknown().optional(),
          delay: z.number().optional(),
          runAt: z.number().optional(),
          priority: z.enum(["high", "normal", "low"]).optional(),
        }),
        response: { 200: z.object({ updated: z.boolean(), state: z.string() }), ...problemAnswers },
      },
    },
    async (request) => {
      const { queue, id } = request.params;
      // What was left out is not to be changed; the queue's own schema says whether the data is its kind.
      const changes = Object.fromEntries(Object.entries(request.body).filter(([, value]) => value !== undefined));
      return queues.find(visitorOf(request), queue, "changeJobs").update(id, changes);
    },
  );

  routes.post(
    "/v1/queues/:queue/jobs/:id/signal",
    {
      schema: {
        summary: "Send a job of a transactional queue a signal",
        description: "`sent` is false when there is no such job. Of several with one name the first counts.",
        tags,
        params: ofJob,
        body: z.strictObject({ name: z.string(), data: z.unknown().optional() }),
        response: { 200: z.object({ sent: z.boolean() }), ...problemAnswers },
      },
    },
    async (request) => {
      const { queue, id } = request.params;
      const { name, data } = request.body;
      return { sent: await queues.find(visitorOf(request), queue, "changeJobs").signal(id, name, data) };
    },
  );
}
