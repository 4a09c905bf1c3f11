import { z } from "zod";
import type { Routes } from "../server/zod-schemas.ts";
import type { ReadinessCheck } from "./readiness.ts";

interface HealthParts {
  readonly readiness: ReadinessCheck;
  isDraining(): boolean;
}

const readiness = z.object({
  status: z.enum(["ready", "not ready", "draining"]),
  valkey: z.enum(["ok", "away"]),
  postgres: z.enum(["ok", "away", "unused"]),
});

export function addHealthRoutes(routes: Routes, parts: HealthParts): void {
  routes.get(
    "/healthz",
    { schema: { summary: "Alive", tags: ["operations"], response: { 200: z.object({ status: z.literal("alive") }) } } },
    () => ({ status: "alive" as const }),
  );

  routes.get(
    "/readyz",
    { schema: { summary: "Both stores answer", tags: ["operations"], response: { 200: readiness, 503: readiness } } },
    async (_request, reply) => {
      const stores = await parts.readiness.read();
      const isReady = stores.valkey === "ok" && stores.postgres !== "away";
      const status = parts.isDraining() ? ("draining" as const) : isReady ? ("ready" as const) : ("not ready" as const);
      return reply.code(status === "ready" ? 200 : 503).send({ status, ...stores });
    },
  );
}
