/** Every way in which the client or the gateway says no. The README explains each; a test keeps the two equal. */
export const errorCodes = [
  // Said by the client itself.
  "OFFLINE",
  "OUTCOME_UNKNOWN",
  "SLOW_RECEIVER",
  "CLOSED",
  "REVOKED",
  "TOKEN_UNAVAILABLE",
  "INVALID_OPTION",
  "NOT_SERIALIZABLE",
  "PAYLOAD_TOO_LARGE",
  // Said by the gateway alone.
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "INVALID_NAME",
  "INVALID_CURSOR",
  "INVALID_FRAME",
  "VALIDATION_FAILED",
  "FORBIDDEN_KEY",
  "RATE_LIMITED",
  "VALKEY_UNAVAILABLE",
  "POSTGRES_UNAVAILABLE",
  "UNEXPECTED",
] as const;

export type ClientErrorCode = (typeof errorCodes)[number];

/**
 * The class of every error that the client throws: branch on `code`, never on the message.
 *
 * @example
 * await live.publish("tech_news", post).catch((error) => {
 *   if (error instanceof ClientError && error.code === "OFFLINE") showOffline();
 *   else throw error;
 * });
 */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The error that a refusal by the gateway stands for; one with a code of a newer gateway is UNEXPECTED. */
export function toClientError({ code, message }: { readonly code: string; readonly message?: string }): ClientError {
  const known = errorCodes.find((candidate) => candidate === code);
  return known ? new ClientError(known, message ?? code) : new ClientError("UNEXPECTED", `The gateway says ${code}: ${message ?? ""}`);
}

// These pass by themselves, so that a subscription outlives them. The last two end a subscription on the gateway's side alone.
const passing = new Set<ClientErrorCode>(["VALKEY_UNAVAILABLE", "POSTGRES_UNAVAILABLE", "RATE_LIMITED", "SLOW_RECEIVER", "CLOSED"]);

export function isPassing(error: ClientError): boolean {
  return passing.has(error.code);
}
