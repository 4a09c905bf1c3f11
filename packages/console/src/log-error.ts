/** Says what failed: of one thing always the same message, and in the details what it was about. */
export type LogError = (this: void, error: unknown, what: string, details?: object) => void;
