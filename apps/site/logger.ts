import type { Logger } from "keyline";

/** A logger for Keyline that passes on errors alone. */
export function errorsOnly(logError: (message: string) => void): Logger {
  const ignore = (): void => undefined;
  return { debug: ignore, info: ignore, warn: ignore, error: (details, message) => logError(`${message} ${JSON.stringify(details)}`) };
}
