/** What Keyline needs of a logger: pino has it, and so has `console` after a small wrapper. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A URL without its password, fit for logs and messages. */
export function withoutPassword(url: string): string {
  return url.replace(/(\/\/[^:/@]*):.*@/, "$1:***@");
}
