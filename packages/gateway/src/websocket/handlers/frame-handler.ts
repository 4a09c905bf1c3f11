import type { LogError } from "../../server/message-of.ts";
import type { Access } from "../../access/access.ts";
import type { ChannelAccess } from "../../channels/channel-access.ts";
import type { RequestLimit } from "../../limits/request-limit.ts";
import type { Feeds } from "../../live/feeds.ts";
import type { StreamAccess } from "../../streams/stream-access.ts";
import type { StreamCounts } from "../../streams/stream-counts.ts";
import type { ClientFrames } from "../client-frames.ts";
import type { FollowDesk } from "../follow-desk.ts";
import type { PresenceDesk } from "../presence-desk.ts";
import type { Session } from "../session.ts";

/** What handlers work with. */
export interface HandlerParts {
  readonly access: Access;
  readonly channels: ChannelAccess;
  readonly feeds: Feeds;
  readonly requests: RequestLimit;
  readonly presence: PresenceDesk;
  readonly streams: StreamAccess;
  readonly follows: FollowDesk;
  readonly counts: StreamCounts;
  readonly mostChannels: number;
  readonly logError: LogError;
}

/** What is done for the frames of one type. */
export interface FrameHandler<Type extends keyof ClientFrames> {
  /**
   * How it counts as a request, before anything is done for it: over all gateways, at this one, or not at all. Only what asks nothing of the
   * application and the stores is free.
   */
  readonly counts: "everywhere" | "here" | "not";
  /** Throws the problem that the client is told. */
  handle(frame: ClientFrames[Type], session: Session, parts: HandlerParts): Promise<void> | void;
}
