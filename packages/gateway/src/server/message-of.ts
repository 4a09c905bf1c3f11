/** Tells the application's logger of what went wrong here, and where. */
export type LogError = (error: unknown, what: string, fields?: Readonly<Record<string, string>>) => void;

/** What an error says, for loggers: what else is in it may be somebody's data, as in what PostgreSQL tells of a row. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
