/** Why a token does not count: it has ended, it is not valid, or the keys to check it with cannot be had at the moment. */
export type TokenErrorCode = "TOKEN_EXPIRED" | "TOKEN_INVALID" | "KEYS_UNAVAILABLE";

/** Says no more than the bearer may know. */
export class TokenError extends Error {
  override readonly name = "TokenError";
  readonly code: TokenErrorCode;

  constructor(code: TokenErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
