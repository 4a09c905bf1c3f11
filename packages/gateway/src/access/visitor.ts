import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { countedAddress } from "./address.ts";
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
  throw new Error("The visitor is not known yet: the route is not behind the gateway's guard");
}

/** Who sent a request that is answered for as long as a connection lasts: from then on the connection knows. */
export function forgetVisitor(raw: FastifyRequest["raw"]): void {
  visitors.delete(raw);
}

/**
 * Whose ticket it is: what is the same whenever one EventSource connects, and of what others send not all. A browser that has changed its network is
 * another one.
 */
export function holderOf({ ip, url, headers }: FastifyRequest): string {
  const parts = [countedAddress(ip), headers["user-agent"] ?? "", headers.origin ?? "", url];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}
