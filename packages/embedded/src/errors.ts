/** Every way in which this package says no. */
export type EmbeddedErrorCode =
  | "UNSUPPORTED_PLATFORM"
  | "VALKEY_NOT_FOUND"
  | "POSTGRES_NOT_FOUND"
  | "CHROMIUM_NOT_FOUND"
  | "NATS_NOT_FOUND"
  | "PGBOUNCER_NOT_FOUND"
  | "PROXY_NOT_FOUND"
  | "INSTALL_FAILED"
  | "COMMAND_FAILED"
  | "PORT_IN_USE"
  | "START_FAILED"
  | "REQUEST_FAILED"
  | "STOPPED";

/** The one class of error that this package throws: branch on `code`; the message says what to do. */
export class EmbeddedError extends Error {
  override readonly name = "EmbeddedError";
  readonly code: EmbeddedErrorCode;

  constructor(code: EmbeddedErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
