/*
 * An EventSource connects again by itself when its connection ends, and gives up for good, without a word to its page, when the answer is anything but
 * 200. What may be asked for again therefore reaches it as a stream that ends at once and says when to come back. What cannot be
 * granted however often it is asked for stays a refusal.
 */
import type { LogError } from "../server/message-of.ts";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { lastEventIdOf } from "./open-event-stream.ts";
import { idLine } from "./wire.ts";
import { toProblem, type Problem } from "../server/problem.ts";

const usualRetrySeconds = 2;
// Those who are refused at the same moment must not return at the same moment.
const spreadMs = 2_000;
const passing400s = new Set(["PIPELINED"]);

/** True for a client that no status can tell anything: a browser's EventSource, which accepts this type only. Other programs accept more. */
export function isEventSource({ headers }: Pick<FastifyRequest, "headers">): boolean {
  return /^\s*text\/event-stream\s*$/i.test(headers.accept ?? "");
}

/** For every route of `scope`, all of which are event streams to those who ask for one. */
export function answerEventSources(scope: FastifyInstance, logError: LogError): void {
  scope.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    // The handler of the scope around this one answers.
    if (!isEventSource(request) || !mayBeAskedAgain(problem)) throw error;
    const { status, code } = problem.body;
    if (status >= 500) logError(error, "a request failed", { method: request.method, route: request.routeOptions.url ?? "?" });
    const retryMs = (problem.retryAfter ?? usualRetrySeconds) * 1_000 + Math.floor(Math.random() * spreadMs);
    const headers = { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no", connection: "close" };
    // By the standard an event without an id has the browser forget where it was.
    return reply
      .code(200)
      .headers(headers)
      .send(`retry: ${retryMs}\n${idLine(idOf(request))}event: end\ndata: {"code":"${code}"}\n\n`);
  });
}

/** The id that it showed, where that can forge nothing. */
function idOf(request: FastifyRequest): string {
  const id = lastEventIdOf(request) ?? "";
  return /^[\w.,-]{1,20000}$/.test(id) ? id : "";
}

function mayBeAskedAgain({ body: { status, code } }: Problem): boolean {
  return status >= 500 || status === 429 || passing400s.has(code);
}
