export { TokenError, type TokenErrorCode } from "./token-error.ts";
export { TokenVerifier, type TokenKey, type TokenOptions } from "./token-verifier.ts";
