import { KeylineError, ValidationError, type ErrorCode } from "keyline";
import type { Failure } from "../api/basics.ts";

interface Refused {
  readonly status: number;
  /** For programs. */
  readonly code: string;
  /** For people. */
  readonly title: string;
  readonly detail?: string | undefined;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
}

/** A request that is not answered as it was asked for. */
export class Refusal extends Error {
  readonly refused: Refused;

  constructor(refused: Refused) {
    super(refused.title);
    this.refused = refused;
  }
}

/** The status of the library's errors that a request can be the cause of, or an outage. */
const statuses: Partial<Record<ErrorCode, number>> = {
  INVALID_NAME: 400,
  INVALID_OPTION: 400,
  INVALID_ID: 400,
  INVALID_KEY: 400,
  INVALID_CURSOR: 400,
  NOT_SERIALIZABLE: 400,
  FORBIDDEN_KEY: 400,
  NOT_TRANSACTIONAL: 400,
  POSTGRES_REQUIRED: 400,
  UNKNOWN_GROUP: 404,
  UNKNOWN_SCHEDULE: 404,
  JOB_UNKNOWN: 404,
  INVALID_STEP: 409,
  PAYLOAD_TOO_LARGE: 413,
  VALIDATION_FAILED: 422,
  NOT_STORABLE: 422,
  VALKEY_UNAVAILABLE: 503,
  POSTGRES_UNAVAILABLE: 503,
  POSTGRES_READ_ONLY: 503,
  POSTGRES_BUSY: 503,
  CONFLICT: 503,
  OUTCOME_UNKNOWN: 503,
  TIMEOUT: 503,
  CLOSED: 503,
};

/** A store is there and cannot be used as it is: what is to be mended is for operators to read. */
const unusable: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "NOT_MIGRATED",
  "SCHEMA_TOO_NEW",
  "ACCESS_DENIED",
  "NOT_PERMITTED",
  "NO_SUCH_DATABASE",
  "TLS_FAILED",
  "WRONG_TOPOLOGY",
  "SERVER_TOO_OLD",
  "VALKEY_READ_ONLY",
]);

/** What is answered to whoever asked. Of what went wrong inside it says nothing: it may name hosts, statements or values. */
export function toFailure(error: unknown, hide: (text: string) => string): Failure {
  if (error instanceof Refusal) return failureOf(error.refused);
  const isUnusable = error instanceof KeylineError && unusable.has(error.code);
  const status = isUnusable ? 503 : error instanceof KeylineError ? statuses[error.code] : undefined;
  if (!(error instanceof KeylineError) || status === undefined) {
    return failureOf({ status: 500, code: "INTERNAL_ERROR", title: "Something went wrong in the console" });
  }
  const issues = error instanceof ValidationError ? error.issues.map(({ path, message }) => ({ path, message: hide(message) })) : undefined;
  return failureOf({
    status,
    code: error.code,
    title: isUnusable ? "A store cannot be used as it is" : status === 503 ? "A store does not answer" : "That cannot be done",
    detail: hide(error.message),
    ...(issues && { issues }),
  });
}

function failureOf({ status, code, title, detail, issues }: Refused): Failure {
  return {
    type: "about:blank",
    title,
    status,
    code,
    ...(detail !== undefined && { detail }),
    ...(issues && { issues: [...issues] }),
  };
}
