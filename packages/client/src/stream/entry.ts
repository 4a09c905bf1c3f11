/** An entry of a stream. `at` is when it was appended, in milliseconds since 1970. */
export interface Entry<Data = unknown> {
  readonly stream: string;
  readonly id: string;
  readonly data: Data;
  readonly at: number;
  /** What the event is about; null on a stream without keys. */
  readonly key: string | null;
}

/**
 * Entries after `after` are gone; it goes on after `until`. `trimmed`: the stream no longer reaches back so far. `lost`: Valkey lost
 * them. A gap may be announced again when the connection is lost before the entry after it.
 */
export interface StreamGap {
  readonly stream: string;
  readonly reason: "trimmed" | "lost";
  readonly after: string;
  readonly until: string;
}
