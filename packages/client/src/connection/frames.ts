/** What goes over the wire: JSON objects, told apart by `type`. `sub` names a subscription, `ref` a question that gets one answer. */
export type ClientFrame =
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "subscribe"; readonly channel: string; readonly sub: number; readonly since: string | undefined }
  | { readonly type: "unsubscribe"; readonly channel: string; readonly sub: number }
  | { readonly type: "publish" | "enter" | "leave" | "watch" | "unwatch"; readonly channel: string }
  | { readonly type: "ping" };

export interface Hello {
  readonly type: "hello";
  readonly beatMs: number;
  readonly maxFrameBytes?: number;
}

/** An answer to the frame with the same `ref`. */
export type Answer =
  | { readonly type: "token"; readonly ref: number; readonly expiresInMs: number | null }
  | { readonly type: "published"; readonly ref: number; readonly id: string; readonly receivers: number }
  | { readonly type: "done"; readonly ref: number }
  | Present;

export interface Refusal {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly sub?: number;
  readonly ref?: number;
}

export type SubscriptionFrame =
  | { readonly type: "subscribed"; readonly sub: number; readonly cursor: string | null }
  | {
      readonly type: "message";
      readonly sub: number;
      readonly id: string;
      readonly data: unknown;
      readonly at: number;
      readonly cursor: string | null;
    }
  | { readonly type: "gap"; readonly sub: number; readonly reason: GapReason; readonly missed: number | null }
  | { readonly type: "unsubscribed"; readonly sub: number; readonly code: string | null; readonly message?: string };

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

export type PresenceFrame = Present | ({ readonly type: "joined" | "left"; readonly channel: string } & Member);

export type ServerFrame =
  | Hello
  | Answer
  | Refusal
  | SubscriptionFrame
  | PresenceFrame
  | { readonly type: "draining"; readonly retryMs: number }
  | { readonly type: "beat" | "pong" };

/** The frame that a text is, or undefined when it is none. The gateway is trusted with the shape of its own frames. */
export function parseFrame(text: unknown): ServerFrame | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null && "type" in frame ? (frame as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}
