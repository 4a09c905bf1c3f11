import { Problem } from "@keyline/gateway";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../../site/problem.ts";
import { largestBurst } from "../limits.ts";
import type { Bursts } from "./bursts.ts";

const NewBurst = z.object({ count: z.int().min(1).max(largestBurst) });
const largestBacklog = 5 * largestBurst;

export function addBurstRoutes(site: FastifyInstance, bursts: Bursts): void {
  site.post("/api/shop/bursts", (request, reply) => {
    const { count } = parseInput(`A burst is 1 to ${largestBurst} orders`, NewBurst, request.body);
    if (bursts.backlog + count > largestBacklog) {
      throw new Problem({ title: "Earlier bursts are still being placed", status: 429, code: "TOO_MANY_BURSTS" });
    }
    bursts.start(count);
    return reply.code(202).send({ count });
  });
}
