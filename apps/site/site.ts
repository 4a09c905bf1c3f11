import { errorAnswers, refuseExpectations } from "@keyline/gateway";
import { fastify, type FastifyInstance } from "fastify";
import { answerWithProblems } from "./problem.ts";
import { loopbackNames } from "./own-origins.ts";
import { refuseCrossSite, refuseForeignHost } from "./same-origin.ts";
import { UnaskedConnections } from "./unasked-connections.ts";

const securityHeaders = {
  // Mantine writes its theme into style elements; scripts come from files only.
  "content-security-policy":
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

export interface SiteOptions {
  readonly logError: (message: string) => void;
  /** The names and addresses by which it is reached; requests under any other are refused. Default: those of loopback. */
  readonly names?: readonly string[];
}

/** An HTTP server without routes: each application registers its own on it, so that all of them are one origin. */
export function createSite({ logError, names = loopbackNames }: SiteOptions): FastifyInstance {
  const site = fastify({
    ...errorAnswers,
    http: { requireHostHeader: false },
    bodyLimit: 16_384,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 100 },
  });
  refuseExpectations(site.server);
  site.removeContentTypeParser("text/plain");
  const ownNames = new Set(names);
  site.addHook("onRequest", (request, reply, done) => {
    reply.headers(securityHeaders);
    refuseForeignHost(request, ownNames);
    refuseCrossSite(request);
    done();
  });
  const unasked = new UnaskedConnections(site.server);
  site.addHook("preClose", (done) => {
    unasked.end();
    done();
  });
  answerWithProblems(site, logError);
  return site;
}
