/** What came since the last time. */
export interface Came {
  readonly rows: readonly unknown[];
  /** How many came before them and were left out; undefined: nobody knows how many are missing. */
  readonly skipped: number | undefined;
}

/** What comes, as long as somebody looks. */
export interface Tail {
  readonly kind: "events" | "channel" | "stream";
  /** Up to where it was taken: a tail behind that place has what comes next. Empty where there is no going on; undefined before it has begun. */
  readonly place: string | undefined;
  /** It was so far behind that it gave up, or it failed: nothing comes any more. */
  readonly isOver: boolean;
  /** Undefined when nothing came. */
  take(): Promise<Came | undefined>;
  close(): void;
}

/** Where a topic has it from. */
export interface Source {
  readonly kind: "overview" | "health" | "tasks" | "queue" | "job" | "channel" | "stream" | "events";
  /** The state that it is in; undefined for a topic that only has what comes. Never waits for long. */
  readonly read: (() => Promise<object | null>) | undefined;
  /** From now on, or behind a place: throws where there is no going on from that. */
  readonly openTail: ((since?: string) => Tail) | undefined;
}

/** The rows of a tail at once; those before them are only counted. */
export const mostRows = 100;

/** Who is farther behind than this does not read what was missed. */
export const mostBehind = 1_000;
