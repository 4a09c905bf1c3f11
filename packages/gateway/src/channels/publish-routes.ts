import { z } from "zod";
import type { Access } from "../access/access.ts";
import { visitorOf } from "../access/visitor.ts";
import { shapeName, problemAnswers } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import { requirePublishing } from "./channel-access.ts";
import type { ChannelFinder } from "./doors.ts";

export function addPublishRoutes(routes: Routes, { access, doors }: { readonly access: Access; readonly doors: ChannelFinder }): void {
  routes.post(
    "/v1/channels/:channel/messages",
    {
      schema: {
        summary: "Publish a message",
        tags: ["channels"],
        params: z.object({ channel: shapeName }),
        body: z.strictObject({ data: z.unknown().refine((data) => data !== undefined, "is missing") }),
        response: { 201: z.object({ id: z.string(), receivers: z.number().optional() }), ...problemAnswers },
      },
    },
    async (request, reply) => {
      const door = await doors.find(request.params.channel);
      requirePublishing(access, visitorOf(request), door);
      const { id, receivers } = await door.channel.publish(request.body.data as never);
      return reply.code(201).send({ id, receivers });
    },
  );
}
