/** What the client itself says no to. The README explains each code; a test keeps the two equal. */
type ClientCode =
  | "OFFLINE"
  | "OUTCOME_UNKNOWN"
  | "SLOW_RECEIVER"
  | "CLOSED"
  | "TOKEN_UNAVAILABLE"
  | "INVALID_OPTION"
  | "NOT_SERIALIZABLE"
  | "PAYLOAD_TOO_LARGE"
  | "TOO_MANY_REQUESTS"
  | "TOKEN_MISSING"
  | "TOKEN_REVOKED"
  | "WEBSOCKET_UNAVAILABLE";

/** What only the gateway says no to. */
type GatewayCode =
  | "TOKEN_INVALID"
  | "TOKEN_EXPIRED"
  | "FORBIDDEN"
  | "UNKNOWN_CHANNEL"
  | "UNKNOWN_STREAM"
  | "TOO_MANY_CHANNELS"
  | "INVALID_NAME"
  | "INVALID_CURSOR"
  | "INVALID_ID"
  | "INVALID_KEY"
  | "VALIDATION_FAILED"
  | "FORBIDDEN_KEY"
  | "NOT_STORABLE"
  | "NESTED_TOO_DEEPLY"
  | "VALKEY_UNAVAILABLE"
  | "POSTGRES_UNAVAILABLE"
  | "POSTGRES_READ_ONLY"
  | "POSTGRES_BUSY"
  | "CONFLICT"
  | "KEYS_UNAVAILABLE"
  | "RATE_LIMITED"
  | "TIMEOUT"
  | "INTERNAL_ERROR";

/** A gateway that is newer than this client may say others. */
export type ClientErrorCode = ClientCode | GatewayCode;

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

// These pass by themselves, so that what was asked for outlives them. CLOSED and SLOW_RECEIVER are the gateway's own ends here. Whoever
// asks to be subscribed or present may ask twice, so that an answer that got lost is a reason to ask again.
const passing =
  /_UNAVAILABLE|POSTGRES_|CONFLICT|INTERNAL_ERROR|TOO_MANY_REQUESTS|RATE_LIMITED|TIMEOUT|SLOW_RECEIVER|CLOSED|OFFLINE|OUTCOME_UNKNOWN/;

/** What the gateway refuses with. */
export function toError({ code, message }: { readonly code: ClientErrorCode; readonly message: string }): ClientError {
  return new ClientError(code, message);
}

export function isPassing({ code }: ClientError): boolean {
  return passing.test(code);
}

export function offline(): ClientError {
  return new ClientError("OFFLINE", "There is no connection, nothing was sent: try later, or pass { timeout }");
}

export function closed(what: string): ClientError {
  return new ClientError("CLOSED", `${what} was closed: make a new one`);
}

export function blocked(): ClientError {
  return new ClientError(
    "WEBSOCKET_UNAVAILABLE",
    "No WebSocket gets through to the gateway: have the proxy pass the upgrade on, and list this page in the gateway's `origins`. Event streams stand in",
  );
}

export function notAnswered(): ClientError {
  return new ClientError("OUTCOME_UNKNOWN", "No answer came: look whether it was done before doing it again");
}
