import { z } from "zod";
import { problemAnswers } from "../server/shapes.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { Access } from "./access.ts";
import { visitorOf } from "./visitor.ts";

export function addTicketRoutes(routes: Routes, access: Access): void {
  routes.post(
    "/v1/tickets",
    {
      schema: {
        summary: "Exchange a token for a ticket",
        description:
          "A ticket opens one event stream or WebSocket, within thirty seconds: `?ticket=`. The browser whose event stream it opened may show it again to reconnect.",
        tags: ["access"],
        response: { 201: z.object({ ticket: z.string(), expiresAt: z.number() }), ...problemAnswers },
      },
    },
    async (request, reply) => reply.code(201).send(await access.issueTicket(visitorOf(request))),
  );
}
