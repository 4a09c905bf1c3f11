import { KeylineError, toError, type ErrorCode } from "../../runtime/errors.ts";
import { withoutPassword } from "../../runtime/logger.ts";

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** An error of a query builder has the server's underneath. */
function isAnywhere(error: unknown, is: (error: Error) => boolean): boolean {
  for (let depth = 0, one = error; depth < 4 && one instanceof Error; depth++, one = one.cause) if (is(one)) return true;
  return false;
}

/** Two transactions stood in each other's way; the whole of this one may be tried again. */
export function isConflict(error: unknown): boolean {
  return isAnywhere(error, (one) => /^(40001|40P01|CONFLICT)$/.test(codeOf(one)));
}

/** A unique value is another row's already. */
export function isTaken(error: unknown): boolean {
  return isAnywhere(error, (one) => codeOf(one) === "23505");
}

const unavailable = /^(08...|57P0[1-5]|53300|ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
const unavailableMessage =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|not queryable|the database system is/i;

/** PostgreSQL is away, or went away before it answered: what was asked may or may not have happened. */
export function isUnavailable(error: unknown): boolean {
  return isAnywhere(error, (one) => unavailable.test(codeOf(one)) || unavailableMessage.test(one.message));
}

/** The server takes no writes: a standby, or one that an operator has set so. Nothing was written. */
export function isReadOnly(error: unknown): boolean {
  return /^(25006|POSTGRES_READ_ONLY)$/.test(codeOf(error));
}

/** The server ended the session because its transaction was idle, or open, for too long: nothing of it was committed. */
function isTransactionTimeout(error: unknown): boolean {
  return /^25P0[34]$/.test(codeOf(error));
}

/** An earlier statement of the transaction failed: nothing more can be done in it. */
export function isAborted(error: unknown): boolean {
  return codeOf(error) === "25P02";
}

/**
 * A prepared statement is not what this connection thinks: DISCARD ALL was sent on it, a pooler has another session behind it by now, or the
 * schema was changed. Nothing was done.
 */
export function isForgotten(error: unknown): boolean {
  const code = codeOf(error);
  if (code === "0A000") return error instanceof Error && error.message.includes("cached plan");
  return code === "26000" || code === "42P05";
}

/** The schema `keyline` or something in it is not there. */
function isNotMigrated(error: unknown): boolean {
  const code = codeOf(error);
  return code === "42P01" || code === "3F000" || code === "42883";
}

/** The error as Keyline tells it, where it has words for it. */
export function inOurWords(thrown: unknown): Error {
  if (thrown instanceof KeylineError) return thrown;
  const cause = toError(thrown);
  const why = withoutPassword(cause.message);
  const told = (code: ErrorCode, message: string): KeylineError => new KeylineError(code, message, { cause });
  if (isUnavailable(cause)) {
    return told("POSTGRES_UNAVAILABLE", `PostgreSQL did not answer (${why}): check that it runs and that the address is right`);
  }
  if (codeOf(cause) === "42501") {
    return told("NOT_PERMITTED", `The role of PostgreSQL may not do this (${why}): give it the rights that the guide names`);
  }
  if (isReadOnly(cause)) {
    return told("POSTGRES_READ_ONLY", `PostgreSQL takes no writes (${why}): nothing was written; is it a standby, or set to read-only?`);
  }
  if (isConflict(cause)) {
    return told("CONFLICT", `Another transaction stood in the way (${why}): nothing was written; do the whole transaction again`);
  }
  if (isNotMigrated(cause)) {
    return told("NOT_MIGRATED", "The schema keyline is not in this database, or is of an older version: call keyline.migrate() once");
  }
  return cause;
}

/** The error is the server's own, not that of a connection. */
export function isServers(error: unknown): boolean {
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(codeOf(error));
}

/** The server has answered, with a refusal: its connection can be used again. */
export function isAnswer(error: unknown): boolean {
  return isServers(error) && !isUnavailable(error) && !isTransactionTimeout(error);
}

/** What Keyline waits for by itself: PostgreSQL is away, takes no writes, has no connection free, or its answer got lost. */
export function isOutage(error: unknown): boolean {
  return error instanceof KeylineError && /^(POSTGRES_(UNAVAILABLE|READ_ONLY|BUSY)|OUTCOME_UNKNOWN)$/.test(error.code);
}

const unsent = new WeakSet<Error>();

/** Remembers that this error came before anything was sent. */
export function asUnsent(error: KeylineError): KeylineError {
  unsent.add(error);
  return error;
}

/** There was no connection to send it on. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof KeylineError && error.code === "POSTGRES_UNAVAILABLE" && unsent.has(error);
}

/** The answer may have got lost: what was asked may have happened, or not. */
export function isAnswerLost(error: unknown): error is KeylineError {
  return error instanceof KeylineError && error.code === "POSTGRES_UNAVAILABLE" && !unsent.has(error);
}

/** What needs PostgreSQL where nobody has said where that is. */
export function postgresRequired(what: string): KeylineError {
  return new KeylineError("POSTGRES_REQUIRED", `${what} needs PostgreSQL: give new Keyline({ postgres: "postgres://..." })`);
}
