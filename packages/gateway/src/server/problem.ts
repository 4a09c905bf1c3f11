import type { FastifyError, FastifyReply } from "fastify";
import { KeylineError, ValidationError } from "keyline";
import { statusOfKeylineCode } from "./keyline-status.ts";

interface ProblemIssue {
  readonly path: string;
  readonly message: string;
}

/** The body of every answer that is an error, as RFC 9457 has it. Branch on `code`, never on the text. */
export interface ProblemBody {
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly issues?: readonly ProblemIssue[];
}

/** Thrown to answer with a problem; also by a hook of an application that the gateway is a part of. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly body: ProblemBody;
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number | undefined;

  constructor(body: ProblemBody, retryAfter?: number) {
    super(body.title);
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

/** What a client is told about any error that a route or a frame ended with. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof KeylineError) return problemOfKeyline(error);
  if (isFastifyError(error) && error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    const status = error.statusCode;
    return new Problem({ title: "The request cannot be understood", status, code: codeOf(status), detail: error.message });
  }
  // Internal failures belong in the log: they may name hosts, queries or values that no caller should see.
  return new Problem({ title: "Something went wrong in the gateway", status: 500, code: "INTERNAL_ERROR" });
}

export function sendProblem(reply: FastifyReply, { body, retryAfter }: Problem): FastifyReply {
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  if (body.status === 401) reply.header("www-authenticate", 'Bearer realm="keyline"');
  return reply.code(body.status).type("application/problem+json").send(body);
}

function problemOfKeyline(error: KeylineError): Problem {
  const { code } = error;
  const status = statusOfKeylineCode(code);
  if (status >= 500) {
    const title = status === 503 ? "A store behind the gateway does not answer" : "Something went wrong in the gateway";
    return new Problem({ title, status, code }, status === 503 ? 1 : undefined);
  }
  // What a key function of the application throws may say anything.
  const detail = code === "INVALID_KEY" && error.cause !== undefined ? "The event has no key that this stream accepts" : error.message;
  const issues = error instanceof ValidationError ? { issues: error.issues } : {};
  return new Problem({ title: "Keyline refused this", status, code, detail, ...issues });
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && "statusCode" in error && (error.statusCode === undefined || typeof error.statusCode === "number");
}

function codeOf(status: number): string {
  if (status === 413) return "BODY_TOO_LARGE";
  if (status === 415) return "UNSUPPORTED_MEDIA_TYPE";
  return "INVALID_REQUEST";
}
