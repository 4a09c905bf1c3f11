import { Problem } from "@keyline/gateway";
import type { FastifyInstance } from "fastify";
import type { Live } from "./live.ts";

const mostPages = 200;

export function addLiveRoutes(site: FastifyInstance, live: Live): void {
  site.get("/api/shop/events", (_request, reply) => {
    if (live.pages >= mostPages) {
      throw new Problem({ title: "Too many pages are open", status: 503, code: "TOO_MANY_PAGES" });
    }
    reply.hijack();
    reply.raw.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // For proxies that would gather the events first.
      "x-accel-buffering": "no",
      // So that the server need not wait for it when it closes.
      connection: "close",
    });
    reply.raw.write("retry: 1000\n\n");
    live.add(reply.raw);
  });
}
