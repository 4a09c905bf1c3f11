import { Problem, type ProblemBody } from "@keyline/gateway";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { KeylineError } from "keyline";
import type { ZodType } from "zod";

/** The value that the schema makes of what a client sent. Throws a 400 problem with every issue. */
export function parseInput<Output>(title: string, schema: ZodType<Output>, value: unknown): Output {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const detail = issues.map((issue) => (issue.path ? `${issue.path}: ${issue.message}` : issue.message)).join("; ");
  throw new Problem({ title, status: 400, code: "INVALID_REQUEST", detail, issues });
}

/** Answers every error of the instance, its own and Fastify's, as application/problem+json. */
export function answerWithProblems(site: FastifyInstance, logError: (message: string) => void): void {
  site.setNotFoundHandler((_request, reply) => {
    return sendProblem(reply, { title: "There is nothing at this address", status: 404, code: "NOT_FOUND" });
  });
  site.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const body = problemOf(error);
    if (body.status >= 500) logError(`${request.method} ${pathOf(request)}: ${error.stack ?? error.message}`);
    return sendProblem(reply, body);
  });
}

function sendProblem(reply: FastifyReply, body: ProblemBody): FastifyReply {
  return reply.code(body.status).type("application/problem+json").send(body);
}

function problemOf(error: FastifyError | Error): ProblemBody {
  if (error instanceof Problem) return error.body;
  if (error instanceof KeylineError) return problemOfKeyline(error);
  const status = "statusCode" in error && typeof error.statusCode === "number" ? error.statusCode : 500;
  if (status >= 400 && status < 500) {
    return { title: "The request cannot be understood", status, code: codeOf(status), detail: error.message };
  }
  // What went wrong inside is for the log: it may name hosts, queries or values that are nobody's business.
  return { title: "Something went wrong on the server", status: 500, code: "INTERNAL_ERROR" };
}

function problemOfKeyline({ code }: KeylineError): ProblemBody {
  switch (code) {
    case "POSTGRES_UNAVAILABLE":
      return { title: "PostgreSQL does not answer: nothing was saved", status: 503, code };
    case "POSTGRES_READ_ONLY":
      return { title: "PostgreSQL takes no writes: nothing was saved", status: 503, code };
    case "POSTGRES_BUSY":
      return { title: "PostgreSQL has no connection free: nothing was saved", status: 503, code };
    case "CONFLICT":
      return { title: "Somebody else changed the same: nothing was saved, try again", status: 503, code };
    case "VALKEY_UNAVAILABLE":
      return { title: "Valkey does not answer", status: 503, code };
    case "OUTCOME_UNKNOWN":
      return { title: "PostgreSQL went away during the commit: look whether it was saved before trying again", status: 503, code };
    default:
      return { title: "Something went wrong on the server", status: 500, code };
  }
}

function codeOf(status: number): string {
  if (status === 413) return "BODY_TOO_LARGE";
  if (status === 415) return "UNSUPPORTED_MEDIA_TYPE";
  return "INVALID_REQUEST";
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0] ?? request.url;
}
