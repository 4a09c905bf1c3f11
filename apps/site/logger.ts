import type { Logger } from "keyline";

/** A logger for Keyline that passes on errors alone. */
export function errorsOnly(logError: (message: string) => void): Logger {
  const ignore = (): void => undefined;
  return {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (details, message) => logError(`${message} ${JSON.stringify(details, (_key, value: unknown) => withoutClass(value))}`),
  };
}

/** JSON leaves out everything that an error has. A stack is one string there, so that a line of the log stays one. */
function withoutClass(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, ...("code" in value ? { code: value.code } : {}), stack, ...(cause === undefined ? {} : { cause }) };
}
