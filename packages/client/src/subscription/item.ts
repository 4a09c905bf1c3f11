import type { FollowFrame, SubscriptionFrame } from "../connection/frames.ts";
import type { Gap, Message } from "./message.ts";
import type { Entry, StreamGap } from "../stream/entry.ts";

/** What a subscription brings: of a channel, or of a stream that is followed. */
export type Item = Message | Gap | Entry | StreamGap;

type ItemFrame = Extract<SubscriptionFrame | FollowFrame, { readonly type: "message" | "entry" | "gap" }>;

export function isGap(item: Item): item is Gap | StreamGap {
  return "reason" in item;
}

/** Where to go on behind an item; undefined where it has no place. */
export function placeOf(item: Item): string | undefined {
  if ("cursor" in item) return item.cursor;
  return "until" in item ? item.until : item.id;
}

export function toItem(frame: ItemFrame): Item {
  const { type: _, sub: __, ...item } = frame;
  if ("stream" in item) return item;
  const cursor = item.cursor ?? undefined;
  return "reason" in item ? { ...item, missed: item.missed ?? undefined, cursor } : { ...item, cursor };
}
