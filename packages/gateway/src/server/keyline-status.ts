import type { ErrorCode } from "keyline";

/** The HTTP status of each of the library's errors that a request can be the cause of, or an outage behind the gateway. */
const statuses: Partial<Record<ErrorCode, number>> = {
  INVALID_NAME: 400,
  INVALID_OPTION: 400,
  INVALID_ID: 400,
  INVALID_KEY: 400,
  INVALID_CURSOR: 400,
  NOT_SERIALIZABLE: 400,
  FORBIDDEN_KEY: 400,
  PAYLOAD_TOO_LARGE: 413,
  VALIDATION_FAILED: 422,
  NOT_TRANSACTIONAL: 400,
  JOB_UNKNOWN: 404,
  INVALID_STEP: 409,
  VALKEY_UNAVAILABLE: 503,
  NOT_STORABLE: 422,
  POSTGRES_UNAVAILABLE: 503,
  POSTGRES_READ_ONLY: 503,
  POSTGRES_BUSY: 503,
  CONFLICT: 503,
  OUTCOME_UNKNOWN: 503,
  TIMEOUT: 503,
  CLOSED: 503,
};

/** 500 for what no client can bring about. */
export function statusOfKeylineCode(code: ErrorCode): number {
  return statuses[code] ?? 500;
}
