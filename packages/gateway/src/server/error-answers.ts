/*
 * Answers that are given before there is a route: to a path that cannot be read, to what is no HTTP, to half a request. Fastify and Node would answer
 * each in a form of their own, and say the path again.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { STATUS_CODES, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { answerHeaders } from "./answer-headers.ts";
import { isAskedInVain, isBeingAnswered } from "./pipelining.ts";
import { sendProblem, Problem, type ProblemBody } from "./problem.ts";

/** Options for a Fastify server, so that these answers are problems, too: `fastify({ ...errorAnswers })`. */
export const errorAnswers = {
  // The gateway says itself what it refuses while it drains: a bare 503 would end an EventSource for good.
  return503OnClosing: false,

  frameworkErrors(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
    if (isAskedInVain(request, reply)) return;
    const problem = new Problem(
      error.statusCode === 414
        ? { title: "A part of the path is too long", status: 414, code: "PATH_TOO_LONG" }
        : { title: "The path cannot be understood", status: 400, code: "INVALID_PATH" },
    );
    sendProblem(reply.headers(answerHeaders), problem);
  },

  clientErrorHandler(error: Error & { readonly code?: string }, socket: Duplex): void {
    // Whatever is written into an answer that has begun would be a part of it.
    if (error.code === "ECONNRESET" || !socket.writable || isBeingAnswered(socket)) {
      socket.destroy();
      return;
    }
    writeProblem(socket, problemOf(error.code));
  },
};

/** Answers where there is nothing but a socket, and closes it. */
export function writeProblem(socket: Duplex, body: ProblemBody): void {
  const text = JSON.stringify(body);
  const headers = { ...answerHeaders, "content-type": "application/problem+json", "content-length": text.length, connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const head = [`HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`, ...lines, "\r\n"].join("\r\n");
  socket.end(head + text, () => socket.destroy());
}

/** The one that no option is for: what a client expects, and this server does not do. */
export function refuseExpectations(server: Server): void {
  server.on("checkExpectation", (_request, response: ServerResponse) => {
    const body: ProblemBody = { title: "What the request expects is not done here", status: 417, code: "EXPECTATION_FAILED" };
    const text = JSON.stringify(body);
    response.writeHead(417, { ...answerHeaders, "content-type": "application/problem+json", "content-length": text.length }).end(text);
  });
}

function problemOf(code: string | undefined): ProblemBody {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { title: "The request did not come in time", status: 408, code: "REQUEST_TIMEOUT" };
    case "HPE_HEADER_OVERFLOW":
      return { title: "The headers are too large", status: 431, code: "HEADERS_TOO_LARGE" };
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { title: "The chunks of the body are too large", status: 413, code: "BODY_TOO_LARGE" };
    default:
      return { title: "This is no HTTP request", status: 400, code: "INVALID_REQUEST" };
  }
}
