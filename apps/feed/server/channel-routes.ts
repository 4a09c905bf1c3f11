import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../../site/problem.ts";
import { isFeedName } from "../channel-names.ts";
import { longestChannelName } from "../limits.ts";
import type { Channels } from "./channels.ts";

const NewChannel = z.object({ name: z.string().refine(isFeedName, "Must consist of the letters A to Z, digits, _ and -") });

export function addChannelRoutes(site: FastifyInstance, channels: Channels): void {
  site.get("/api/feed/channels", async () => ({ channels: await channels.list() }));

  site.post("/api/feed/channels", async (request, reply) => {
    const rule = `The name of a channel is 1 to ${longestChannelName} letters, digits, _ and -`;
    const { name } = parseInput(rule, NewChannel, request.body);
    await channels.create(name);
    return reply.code(201).header("location", `/api/feed/channels/${name}/posts`).send({ name });
  });
}
