import { z } from "zod";
import { visitorOf } from "../access/visitor.ts";
import { shapeName, problemAnswers } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { ChannelAccess } from "./channel-access.ts";

export function addPublishRoutes(routes: Routes, { channels }: { readonly channels: ChannelAccess }): void {
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
      const { channel } = await channels.toPublish(visitorOf(request), request.params.channel);
      const { id, receivers } = await channel.publish(request.body.data as never);
      return reply.code(201).send({ id, receivers });
    },
  );
}
