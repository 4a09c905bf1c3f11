import type { GapReason } from "../connection/frames.ts";

/** A message of a channel. `at` is when it was published, in milliseconds since 1970. */
export interface Message<Data = unknown> {
  readonly channel: string;
  readonly id: string;
  readonly data: Data;
  readonly at: number;
  /** Where to resume after this message; undefined on a channel without history. */
  readonly cursor: string | undefined;
}

/**
 * Messages are missing here. `trimmed`: the history no longer reaches back so far. `lost`: the history is another one. `restarted`:
 * Valkey restarted, messages of its last moments may be missing. `disconnected`: a channel without history, and the connection was
 * away. `dropped`: the connection was too slow. A gap may be announced again when the connection is lost before the message after it.
 */
export interface Gap {
  readonly channel: string;
  readonly reason: GapReason;
  /** How many, where that is known. */
  readonly missed: number | undefined;
  /** Where to resume after the gap; undefined where the next message says. */
  readonly cursor: string | undefined;
}
