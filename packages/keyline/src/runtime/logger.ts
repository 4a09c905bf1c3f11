/** What Keyline needs of a logger: pino has it, and so has `console` after a small wrapper. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A logger whose lines all have these fields, but for those of which a line says something else itself. */
export function withFields(logger: Logger, fields: object | (() => object)): Logger {
  // Whoever hears nothing need not be told where it comes from.
  if (logger === silentLogger) return logger;
  const all = (details: object): object => ({ ...(typeof fields === "function" ? (fields as () => object)() : fields), ...details });
  return {
    debug: (details, message) => logger.debug(all(details), message),
    info: (details, message) => logger.info(all(details), message),
    warn: (details, message) => logger.warn(all(details), message),
    error: (details, message) => logger.error(all(details), message),
  };
}

/** A URL without its password, fit for logs and messages. */
export function withoutPassword(url: string): string {
  return url.replace(/(\/\/[^:/@]*):.*@/, "$1:***@");
}
