import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { toJsonSchemas } from "../server/zod-schemas.ts";

const decorator = "keylineOpenapi";

/** Collects the routes that are added to this scope from here on. The name keeps it apart from an application's own document. */
export async function describeRoutes(scope: FastifyInstance): Promise<void> {
  await scope.register(swagger, {
    decorator,
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Keyline gateway",
        version: "1",
        description:
          "Queues, channels and streams over HTTP and server-sent events. The WebSocket at /v1/ws is described in the package's README.",
      },
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
      security: [{}, { bearer: [] }],
    },
    transform: ({ schema, url }) => ({ schema: toJsonSchemas(schema) as typeof schema, url }),
  });
}

export function addOpenapiRoute(scope: FastifyInstance): void {
  let text: string | undefined;
  scope.get("/openapi.json", { schema: { hide: true } }, (_request, reply) => {
    const document = scope.getDecorator<() => object>(decorator);
    text ??= JSON.stringify(document());
    return reply.type("application/json").send(text);
  });
}
