import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../../site/problem.ts";
import type { OrdersQueue } from "./orders-queue.ts";
import type { Workers } from "./workers.ts";

const WorkerId = z.object({
  workerId: z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number),
});
const LabelTime = z.object({ labelMs: z.int().min(0).max(10_000) });

interface WorkerServices {
  readonly workers: Workers;
  readonly queue: OrdersQueue;
}

export function addWorkerRoutes(site: FastifyInstance, { workers, queue }: WorkerServices): void {
  const workerIdOf = (params: unknown): number => parseInput("The number of a worker is a positive integer", WorkerId, params).workerId;

  site.get("/api/shop/workers", () => ({ workers: workers.views() }));

  // As Prometheus asks for what it is to scrape (http_sd_configs): workers come and go. Nobody but this machine reaches them.
  site.get("/metrics/targets", () => [
    { targets: workers.metricsPorts().map((port) => `127.0.0.1:${port}`), labels: { job: "keyline-workers" } },
  ]);

  site.post("/api/shop/workers", (_request, reply) => reply.code(201).send({ workerId: workers.start() }));

  // Gracefully: answers when the worker has finished what it had.
  site.delete("/api/shop/workers/:workerId", async (request, reply) => {
    await workers.stop(workerIdOf(request.params));
    return reply.code(204).send();
  });

  site.post("/api/shop/workers/:workerId/kill", (request, reply) => {
    workers.kill(workerIdOf(request.params));
    return reply.code(202).send();
  });

  site.put("/api/shop/label-time", (request, reply) => {
    const { labelMs } = parseInput("A label takes 0 to 10000 milliseconds", LabelTime, request.body);
    workers.setLabelMs(labelMs);
    return reply.send({ labelMs });
  });

  // Orders whose workers were killed again and again end as dead letters.
  site.post("/api/shop/dead-orders/redrive", async () => ({ redriven: await queue.redrive({ all: true }) }));
}
