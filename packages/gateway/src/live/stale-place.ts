import { toProblem } from "../server/problem.ts";
import type { EventStream } from "./event-stream.ts";
import type { Feed } from "./feed.ts";
import { parsePlace } from "./place.ts";
import { eventStreamWire } from "./wire.ts";

interface Entrance {
  /** What the client says of where it stands. */
  readonly place: string | undefined;
  /** Whether to announce this as a gap: the client cannot do anything about it. */
  mayBeStale(error: unknown): boolean;
}

interface Entered {
  readonly place: string;
  /** Frames that tell of what is missing. */
  readonly gaps: string;
}

/** A place that is none of this history, or of a channel that keeps none. With `isGiven` it is one that the gateway gave out, in whatever form. */
export function isStalePlace(error: unknown, { isGiven }: { readonly isGiven: boolean }): boolean {
  const { code } = toProblem(error).body;
  return code === "INVALID_OPTION" || (isGiven && (code === "INVALID_CURSOR" || code === "INVALID_ID"));
}

/** Lets a client in where it stands, or else where the feed stands, behind a gap for each channel in which its place is none any more. */
export function enter(feed: Feed, stream: EventStream, { place, mayBeStale }: Entrance): Entered {
  try {
    return { place: feed.enter(stream, parsePlace(place, feed.channels.length)), gaps: "" };
  } catch (error) {
    if (!mayBeStale(error)) throw error;
    return enterBehindGaps(feed, stream, place ?? "");
  }
}

function enterBehindGaps(feed: Feed, stream: EventStream, place: string): Entered {
  const given = place.split(",");
  const isOfThisFeed = given.length === feed.channels.length;
  const cursors = feed.channels.map((channel, index) => (isOfThisFeed && isUsable(channel, given[index]) ? given[index] : undefined));
  const start = feed.enter(
    stream,
    cursors.map((cursor) => cursor || undefined),
  );
  const gaps = feed.channels.map(({ name, hasHistory }, index) => {
    if (cursors[index] !== undefined) return "";
    const reason = hasHistory ? "lost" : "disconnected";
    return eventStreamWire.gap({ channel: name, reason, missed: undefined, cursor: undefined }, start);
  });
  return { place: start, gaps: gaps.join("") };
}

/** Keyline alone knows what is a cursor. Nothing of the trial stays. */
function isUsable(channel: Feed["channels"][number], cursor: string | undefined): boolean {
  if (cursor === "") return true;
  try {
    void channel.subscribe(() => undefined, { since: cursor }).close();
    return true;
  } catch {
    return false;
  }
}
