import type { LogError } from "./message-of.ts";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import type { Origins } from "../access/origins.ts";
import { ticketInvalid } from "../access/tickets.ts";
import { guesserKey, visitorKey } from "../access/token.ts";
import { holderOf, setVisitor } from "../access/visitor.ts";
import type { ConnectionLimit } from "../limits/connection-limit.ts";
import type { RequestLimit } from "../limits/request-limit.ts";
import { answerHeaders } from "./answer-headers.ts";
import { parseUntrustedJson } from "./json-body.ts";
import { isAskedInVain } from "./pipelining.ts";
import { Problem, sendProblem, toProblem } from "./problem.ts";
import { closeAfterRefusedUpgrade } from "./upgrades.ts";
import type { WaitingSockets } from "./waiting-sockets.ts";
import { useZodSchemas } from "./zod-schemas.ts";

const mostHeaders = 100;

/** What every route of the gateway has in common: how bodies are read, how errors are answered, which headers go out. */
export function furnishScope(
  scope: FastifyInstance,
  {
    origins,
    access,
    sockets,
    logError,
  }: {
    readonly origins: Origins;
    readonly access: Access;
    readonly sockets: WaitingSockets;
    readonly logError: LogError;
  },
): void {
  useZodSchemas(scope);
  closeAfterRefusedUpgrade(scope);
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, parseUntrustedJson(body.toString()));
    } catch (error) {
      done(error as Problem);
    }
  });
  scope.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.body.status >= 500) logError(error, "a request failed", { method: request.method, route: request.routeOptions.url ?? "?" });
    return sendProblem(reply, problem);
  });
  scope.addHook("onRequest", (request, reply, done) => {
    if (isAskedInVain(request, reply)) return;
    sockets.noteOurs(request.raw, request.ips);
    reply.headers(answerHeaders);
    checkHeaderCount(request);
    access.checkReached(request.raw.socket, request.headers.host);
    origins.checkRequest(request.method, request.headers);
    done();
  });
}

/**
 * Behind this guard it is known who asks, and how often. `opensConnections` says whether what is asked for is a live connection, and `reconnects`
 * whether browsers open it again by themselves.
 */
export function addGuard(
  scope: FastifyInstance,
  { access, requests, underWay }: { readonly access: Access; readonly requests: RequestLimit; readonly underWay: ConnectionLimit },
  {
    opensConnections = () => false,
    reconnects = false,
  }: { readonly opensConnections?: (request: FastifyRequest) => boolean; readonly reconnects?: boolean } = {},
): void {
  scope.addHook("onRequest", async (request, reply) => {
    const { ip, headers, query } = request;
    const isLive = opensConnections(request);
    try {
      // A ticket opens a live connection; elsewhere a token can be sent as a header.
      const ticket = isLive ? ticketOf(query) : undefined;
      // Looking for a ticket takes it away. Who guessed too often is not worth the question.
      if (ticket !== undefined && access.hasKey) requests.refuseBeyond(guesserKey(ip));
      const holder = reconnects && ticket !== undefined ? holderOf(request) : undefined;
      const visitor = await access.identify({ ip, authorization: headers.authorization, ticket, holder });
      setVisitor(request, visitor);
      if (isLive) requests.takeHere(visitorKey(visitor));
      else await requests.take(visitorKey(visitor));
      // An answer is held until its client has taken it.
      if (!isLive) {
        const seat = underWay.enter(visitorKey(visitor));
        reply.raw.once("close", () => seat.leave());
      }
    } catch (error) {
      // Whoever guesses tokens is counted too.
      if (error instanceof Problem && error.body.status === 401) {
        await requests.take(error.body.code === "TICKET_INVALID" ? guesserKey(ip) : visitorKey({ ip, token: undefined }));
      }
      throw error;
    }
  });
}

/** Node takes 2,000, which is a number for those who send nothing else. */
function checkHeaderCount({ raw }: FastifyRequest): void {
  if (raw.rawHeaders.length <= 2 * mostHeaders) return;
  throw new Problem({ title: `A request may have ${mostHeaders} headers`, status: 431, code: "TOO_MANY_HEADERS" });
}

function ticketOf(query: unknown): string | undefined {
  if (typeof query !== "object" || query === null || !("ticket" in query)) return undefined;
  if (typeof query.ticket === "string" && /^[\w-]{43}$/.test(query.ticket)) return query.ticket;
  throw ticketInvalid();
}
