import type { ClientErrorCode } from "../client-error.ts";

/** What goes over the wire: JSON objects, told apart by `type`. `sub` names a subscription, `ref` a question that gets one answer. */
export type ClientFrame =
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "subscribe"; readonly channel: string; readonly sub: number | undefined; readonly since: string | undefined }
  | { readonly type: "unsubscribe"; readonly channel: string; readonly sub: number | undefined }
  | { readonly type: "publish" | "enter" | "leave" | "watch" | "unwatch"; readonly channel: string }
  | {
      readonly type: "follow";
      readonly stream: string;
      readonly sub: number | undefined;
      readonly after: string | undefined;
      readonly key: string | undefined;
    }
  | { readonly type: "unfollow"; readonly stream: string; readonly sub: number | undefined }
  | { readonly type: "append"; readonly stream: string; readonly idempotencyKey: string | undefined };

export type FrameOf<Type extends ClientFrame["type"]> = ClientFrame & { readonly type: Type };

export interface Hello {
  readonly type: "hello";
  readonly beatMs: number;
  readonly maxFrameBytes?: number;
  readonly framesPerSecond?: number;
}

interface Done {
  readonly type: "done";
  readonly ref: number;
}

/** The answer to each frame that gets one; it has the frame's `ref`. */
export interface Answers {
  readonly token: { readonly type: "token"; readonly ref: number; readonly expiresInMs: number | null };
  readonly publish: { readonly type: "published"; readonly ref: number; readonly id: string; readonly receivers: number };
  readonly append: { readonly type: "appended"; readonly ref: number; readonly id: string; readonly appended: boolean };
  readonly enter: Done;
  readonly leave: Done;
  readonly watch: Present;
  readonly unwatch: Done;
}

export type Answer = Answers[keyof Answers];

export interface Refusal {
  readonly type: "error";
  readonly code: ClientErrorCode;
  readonly message: string;
  readonly channel?: string;
  readonly stream?: string;
  readonly sub?: number;
  readonly ref?: number;
}

/** About one subscription: the one with this `sub`, or without it the one that was asked for by the channel's name alone. */
export type SubscriptionFrame = { readonly channel: string; readonly sub?: number; readonly cursor?: string | null } & (
  | { readonly type: "subscribed" }
  | { readonly type: "message"; readonly id: string; readonly data: unknown; readonly at: number }
  | { readonly type: "gap"; readonly reason: GapReason; readonly missed: number | null }
  | { readonly type: "unsubscribed"; readonly code: ClientErrorCode | null }
);

/** About one stream that is followed, named in the same way. */
export type FollowFrame = { readonly stream: string; readonly sub?: number } & (
  | { readonly type: "following"; readonly after: string }
  | { readonly type: "entry"; readonly id: string; readonly data: unknown; readonly at: number; readonly key: string | null }
  | { readonly type: "gap"; readonly reason: "trimmed" | "lost"; readonly after: string; readonly until: string }
  | { readonly type: "passed"; readonly id: string }
  | { readonly type: "unfollowed"; readonly code: ClientErrorCode | null }
);

/** The gateway has ended a watch, or a stay. */
export interface Withdrawn {
  readonly type: "withdrawn";
  readonly what: "watch" | "enter";
  readonly channel: string;
  readonly code: ClientErrorCode;
}

export type GapReason = "trimmed" | "lost" | "restarted" | "disconnected" | "dropped";

/** Who is present on a channel: `info` is what they entered with, `since` the time in milliseconds since 1970. */
export interface Member {
  readonly member: string;
  readonly info: unknown;
  readonly since: number;
}

interface Present {
  readonly type: "present";
  readonly channel: string;
  readonly ref?: number;
  readonly members: readonly Member[];
}

interface Change extends Member {
  readonly type: "joined" | "left";
  readonly channel: string;
}

export type PresenceFrame = Present | Change;

export type ServerFrame =
  | Hello
  | Answer
  | Refusal
  | SubscriptionFrame
  | FollowFrame
  | Withdrawn
  | PresenceFrame
  | { readonly type: "draining"; readonly retryMs: number }
  | { readonly type: "beat" | "pong" };

/** The frame that a text is, or undefined when it is none. The gateway is trusted with the shape of its own frames. */
export function parseFrame(text: unknown): ServerFrame | undefined {
  try {
    return JSON.parse(String(text)) as ServerFrame;
  } catch {
    return undefined;
  }
}
