import type { FastifyRequest } from "fastify";
import type { Visitor } from "./token.ts";

const visitors = new WeakMap<object, Visitor>();

// Beside the request instead of on it: decorating it would reach into the server of whoever registers the plugin.
export function setVisitor(request: FastifyRequest, visitor: Visitor): void {
  visitors.set(request.raw, visitor);
}

/** Who sent this request: known since it came in. */
export function visitorOf(request: Pick<FastifyRequest, "raw">): Visitor {
  const visitor = visitors.get(request.raw);
  if (visitor) return visitor;
  throw new Error("The visitor is not known yet: the route is not behind the gateway's door");
}
