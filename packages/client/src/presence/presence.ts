import type { Member } from "../connection/frames.ts";

/** Somebody came to a channel or left it. */
export interface PresenceChange {
  readonly kind: "joined" | "left";
  readonly member: string;
  readonly info: unknown;
}

export interface PresenceWatch {
  /** Who is here, as far as this client knows; kept while the connection is away. */
  readonly members: ReadonlyMap<string, Member>;
  /** Resolves when `members` is known. Rejects when the gateway refuses, or the watch is closed before. */
  readonly ready: Promise<void>;
  close(): void;
}

/** Who is on a channel, and being there. */
export interface Presence {
  /**
   * Makes the token's `sub` present, with `info` for others to see, until `leave`; after each new connection again. Resolves when the
   * gateway has confirmed it, however long the connection takes. Entering again replaces `info`.
   *
   * Rejects with FORBIDDEN (also without a token, which names nobody), NOT_SERIALIZABLE, PAYLOAD_TOO_LARGE or CLOSED.
   *
   * @example
   * await live.presence("tech_news").enter({ name: "Ada" });
   */
  enter(info?: unknown): Promise<void>;
  /** Ends it. Without a connection there is nothing to end: presence ends with the connection. */
  leave(): Promise<void>;
  /**
   * Calls `listener` when somebody joins or leaves, also for what changed while the connection was away. Those who are here already when
   * the watch begins are in `members` alone.
   *
   * @example
   * const watch = live.presence("tech_news").watch(() => render([...watch.members.keys()]));
   */
  watch(listener: (change: PresenceChange) => void): PresenceWatch;
}
