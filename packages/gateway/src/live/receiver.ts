import type { ChannelExposure } from "../channels/exposures.ts";
import type { FeedEndCode } from "./connection.ts";
import type { Place } from "./place.ts";
import type { Wire } from "./wire.ts";

/** A connection, to a feed. */
export interface Receiver {
  write(frames: Buffer): void;
  /** Whether bytes that can wait may be written now. */
  hasRoomFor(bytes: number): boolean;
  /** Resolves when the socket has taken what was written, or is gone. */
  drained(): Promise<void>;
  /** The feed has no more for this receiver. */
  endFeed(source: Source, code: FeedEndCode): void;
}

/** A feed, to those in it. */
export interface Source {
  readonly channels: readonly ChannelExposure["channel"][];
  readonly wire: Wire;
  /** Where it stands. */
  readonly cursors: Place;
  /** Where a receiver stands, as text: up to there it was written to. */
  placeOf(receiver: Receiver): string;
  /** A receiver that caught up has everything up to where the feed stands. */
  moveIn(receiver: Receiver): void;
  noteDeliveries(count: number): void;
  leave(receiver: Receiver): void;
}
