import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../../site/problem.ts";
import type { Tokens } from "../../site/tokens.ts";

const NewReader = z.object({ readerId: z.uuid() });

/**
 * Tokens for the gateway, for whoever asks: they give a page a place among those who are here, and no rights. `at` is this server's time, by
 * which the page tells what was published before it was connected.
 */
export function addReaderRoutes(site: FastifyInstance, tokens: Tokens): void {
  site.post("/api/feed/readers", async (request, reply) => {
    const { readerId } = parseInput("A reader has a UUID that its browser made", NewReader, request.body);
    const at = Date.now();
    return reply.code(201).send({ token: await tokens.issue({ subject: `reader:${readerId}` }), at });
  });
}
