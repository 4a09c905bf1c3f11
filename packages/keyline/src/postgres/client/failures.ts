function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** Two transactions stood in each other's way; the whole of this one may be tried again. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error);
  return code === "40001" || code === "40P01";
}

const unavailable =
  /^(08...|57P0[1-5]|53300|25006|ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
const unavailableMessage =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|not queryable|the database system is/i;

/** PostgreSQL is away, or went away before it answered: what was asked may or may not have happened. */
export function isUnavailable(error: unknown): boolean {
  if (unavailable.test(codeOf(error))) return true;
  return error instanceof Error && unavailableMessage.test(error.message);
}

/** The schema `keyline` or something in it is not there. */
export function isNotMigrated(error: unknown): boolean {
  const code = codeOf(error);
  return code === "42P01" || code === "3F000" || code === "42883";
}
