import { KeylineError, toError, type ErrorCode } from "../../runtime/errors.ts";

/** What only somebody who changes a setting can mend: trying again does not help. */
export type FaultCode = Extract<
  ErrorCode,
  "ACCESS_DENIED" | "NOT_PERMITTED" | "NO_SUCH_DATABASE" | "TLS_FAILED" | "WRONG_TOPOLOGY" | "SERVER_TOO_OLD" | "VALKEY_READ_ONLY"
>;

const advice: Readonly<Record<FaultCode, string>> = {
  ACCESS_DENIED: "check the user name and the password in the option valkey",
  NOT_PERMITTED: "give the user the rights that the guide names",
  NO_SUCH_DATABASE: "name a database that the server has (its setting databases; a cluster has only 0)",
  TLS_FAILED: "check whether this port speaks TLS (valkeys:// or tls) or not (valkey://), and the certificates",
  WRONG_TOPOLOGY: "name a single server by its URL, a cluster as { cluster: [...] }, sentinels as { sentinels: [...], name }",
  SERVER_TOO_OLD: "run Valkey 7.2 or Redis 7.0 at the least, better Valkey 8 or newer",
  VALKEY_READ_ONLY: "name the primary, or the sentinels or the cluster that know it",
};

const byReply: readonly (readonly [pattern: RegExp, code: FaultCode])[] = [
  [/^(WRONGPASS|NOAUTH|ERR invalid password|ERR AUTH)/, "ACCESS_DENIED"],
  [/^NOPERM|ACL failure in script/, "NOT_PERMITTED"],
  [/DB index is out of range|invalid DB index|SELECT is not allowed in cluster mode/, "NO_SUCH_DATABASE"],
  [/cluster support disabled|unknown (sub)?command\W+(sentinel|cluster)/i, "WRONG_TOPOLOGY"],
  [/unknown command\W+hello/i, "SERVER_TOO_OLD"],
  [/^READONLY/, "VALKEY_READ_ONLY"],
];
const byTlsCode = /^(EPROTO|ERR_SSL_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|HOSTNAME_MISMATCH)/;

/** The permanent fault that an error of the client library tells of. */
export function faultCodeOf(error: Error): FaultCode | undefined {
  if ("code" in error && byTlsCode.test(String(error.code))) return "TLS_FAILED";
  return byReply.find(([pattern]) => pattern.test(error.message))?.[1];
}

/** A server that is a replica now may be the primary again in a moment; all else lasts until somebody mends it. */
export function isLasting({ code }: KeylineError): boolean {
  return code !== "VALKEY_READ_ONLY";
}

/** What somebody has to mend, where an error tells of that. */
export function lastingFaultOf(thrown: unknown): KeylineError | undefined {
  const error = toError(thrown);
  if (error instanceof KeylineError) return error.code in advice && isLasting(error) ? error : undefined;
  const code = faultCodeOf(error);
  const fault = code && toFault(code, error.message, error);
  return fault && isLasting(fault) ? fault : undefined;
}

/** A fault in Keyline's words: the server's reason, and what to do. */
export function toFault(code: FaultCode, reason: string, cause?: unknown): KeylineError {
  const isNothingDone = code === "NOT_PERMITTED" ? "" : ", so nothing was sent or done";
  return new KeylineError(code, `Valkey cannot be used as it is${isNothingDone} (${reason}): ${advice[code]}`, { cause });
}

/** A server that is there and cannot serve the command now: it did nothing. */
const passing = /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY|FAILOVER)\b/;
/** The client library did not send it. */
const unsent = /enableOfflineQueue options is false$/;

/**
 * What an error comes to for whoever sent something that changes something. What the server refused was not done, and says so by its code; only
 * where the answer got lost it is not known, which `unknown` puts in words.
 */
export function explainSend(thrown: unknown, unknown: string): Error {
  const error = toError(thrown);
  if (error instanceof KeylineError) return error;
  const code = faultCodeOf(error);
  if (code) return toFault(code, error.message, error);
  if (unsent.test(error.message) || (error.name === "ReplyError" && passing.test(error.message))) {
    const message = `Valkey could not take it now (${error.message}): nothing was done, and trying again is safe`;
    return new KeylineError("VALKEY_UNAVAILABLE", message, { cause: error });
  }
  if (error.name === "ReplyError") return error;
  return new KeylineError("OUTCOME_UNKNOWN", unknown, { cause: error });
}
