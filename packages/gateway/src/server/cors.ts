import type { FastifyInstance, RouteOptions } from "fastify";
import type { Origins } from "../access/origins.ts";

const methods = "GET, POST";

/**
 * Lets pages of the listed origins read what this scope's routes answer. The usual plugin adds one route for the preflights of the whole
 * server, which would answer those of an application's own routes too, and cannot be there twice.
 *
 * Tokens travel in a header that a page sets itself: there are no cookies to lend to another origin, and so no credentials.
 */
export function addCors(scope: FastifyInstance, origins: Origins): void {
  const known = new Set<string>();
  scope.addHook("onRoute", function addPreflight(this: FastifyInstance, { url, routePath }: RouteOptions & { readonly routePath: string }) {
    if (known.has(url)) return;
    known.add(url);
    this.options(routePath, { schema: { hide: true } }, (_request, reply) => reply.code(204).send());
  });
  // Before anything else that a route asks for: a preflight comes without the page's headers.
  scope.addHook("onRequest", (request, reply, done) => {
    const { origin, "access-control-request-headers": wanted } = request.headers;
    reply.header("vary", "Origin");
    const isListed = origin !== undefined && origins.isListed(origin);
    if (isListed) reply.header("access-control-allow-origin", origin);
    if (request.method !== "OPTIONS") return done();
    if (isListed) reply.header("access-control-allow-methods", methods);
    if (isListed && wanted !== undefined) reply.header("access-control-allow-headers", wanted);
    return void reply.code(204).send();
  });
}
