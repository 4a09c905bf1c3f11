/** Every way in which Keyline says no. `docs/errors.md` explains each; a test keeps the two equal. */
export const errorCodes = [
  "INVALID_NAME",
  "INVALID_OPTION",
  "INVALID_ID",
  "INVALID_KEY",
  "INVALID_CURSOR",
  "INVALID_STEP",
  "INVALID_HANDLER",
  "VALIDATION_FAILED",
  "NOT_SERIALIZABLE",
  "FORBIDDEN_KEY",
  "PAYLOAD_TOO_LARGE",
  "NOT_STORABLE",
  "POSTGRES_REQUIRED",
  "EMBEDDED_REQUIRED",
  "NOT_TRANSACTIONAL",
  "NOT_IN_TRANSACTION",
  "NOT_MIGRATED",
  "SCHEMA_TOO_NEW",
  "NODE_TOO_OLD",
  "ACCESS_DENIED",
  "NOT_PERMITTED",
  "NO_SUCH_DATABASE",
  "TLS_FAILED",
  "WRONG_TOPOLOGY",
  "SERVER_TOO_OLD",
  "VALKEY_READ_ONLY",
  "VALKEY_UNAVAILABLE",
  "POSTGRES_UNAVAILABLE",
  "POSTGRES_READ_ONLY",
  "POSTGRES_BUSY",
  "CONFLICT",
  "OUTCOME_UNKNOWN",
  "SLOW_RECEIVER",
  "GAP",
  "UNKNOWN_GROUP",
  "UNKNOWN_SCHEDULE",
  "LEASE_LOST",
  "ALREADY_SETTLED",
  "JOB_UNKNOWN",
  "JOB_DEAD",
  "JOB_CANCELLED",
  "WORKER_DIED",
  "HANDLER_DIED",
  "INVALID_ELEMENT",
  "NOT_DRAINED",
  "TIMEOUT",
  "STOPPED",
  "CLOSED",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** The base class of every error that Keyline throws: branch on `code`, never on the message. */
export class KeylineError extends Error {
  override readonly name: string = "KeylineError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** One thing that a schema found wrong with a payload. */
export interface ValidationIssue {
  readonly message: string;
  readonly path: string;
}

/** A payload that the schema of its queue rejects. `issues` are the schema's own. */
export class ValidationError extends KeylineError {
  override readonly name = "ValidationError";
  readonly issues: readonly ValidationIssue[];

  constructor(subject: string, issues: readonly ValidationIssue[]) {
    const list = issues.map((issue) => (issue.path ? `${issue.path}: ${issue.message}` : issue.message)).join("; ");
    super("VALIDATION_FAILED", `The data for ${subject} does not fit its schema: ${list}`);
    this.issues = issues;
  }
}

/** The error that an unknown thrown value stands for. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
