export { connect, type ConnectOptions } from "./connect.ts";
export { ClientError, type ClientErrorCode } from "./client-error.ts";
export type { Live, LiveEvents } from "./live.ts";
export type { ConnectionState } from "./connection/connection.ts";
export type { TokenSource } from "./connection/token-keeper.ts";
export type { GapReason, Member } from "./connection/frames.ts";
export type { Presence, PresenceChange, PresenceWatch } from "./presence/presence.ts";
export type { PublishOptions, PublishResult } from "./publish.ts";
export type { Entry, StreamGap } from "./stream/entry.ts";
export type {
  AppendOptions,
  AppendResult,
  Following,
  FollowOptions,
  IterableFollowing,
  IterateFollowOptions,
  LiveStream,
} from "./stream/stream.ts";
export type { Gap, Message } from "./subscription/message.ts";
export type { IterableSubscription, IterateOptions, SubscribeOptions, Subscription } from "./subscription/subscription.ts";
