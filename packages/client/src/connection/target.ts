import type { FrameOf } from "./frames.ts";

/** What was asked for, and how far it has come. */
export interface Target {
  readonly frame: FrameOf<"subscribe"> | FrameOf<"follow">;
  place: string | undefined;
}

export type Named =
  { readonly channel: string; readonly sub: number | undefined } | { readonly stream: string; readonly sub: number | undefined };

export function keyOf(frame: Named): string {
  return JSON.stringify("channel" in frame ? ["channel", frame.sub ?? frame.channel] : ["stream", frame.sub ?? frame.stream]);
}

export function pathOf(targets: readonly Target[]): string {
  const query = new URLSearchParams();
  for (const { frame, place } of targets) {
    if (frame.type === "subscribe") {
      query.append("channel", frame.channel);
    } else {
      if (place !== undefined) query.set("after", place);
      if (frame.key !== undefined) query.set("key", frame.key);
      return `streams/${encodeURIComponent(frame.stream)}/events?${query}`;
    }
  }
  if (targets.some(({ place }) => place !== undefined)) query.set("since", targets.map(({ place }) => place ?? "").join(","));
  return `live?${query}`;
}

export function beginningOf({ frame, place }: Target): object {
  return frame.type === "follow" ? { type: "following", after: place } : { type: "subscribed", cursor: place ?? null };
}

export function endOf({ frame, place }: Target, code: string): object {
  return { type: frame.type === "follow" ? "unfollowed" : "unsubscribed", code, cursor: place ?? null };
}

/** What can come in one stream: each channel once, and `most` of them. */
export function groupsOf(targets: readonly Target[], most: number): Target[][] {
  const groups: Target[][] = [];
  for (const target of targets) {
    const { frame } = target;
    const hasRoom = (group: Target[]): boolean =>
      "channel" in frame && group.length < most && group.every(({ frame: other }) => "channel" in other && other.channel !== frame.channel);
    const group = groups.find(hasRoom);
    if (group) group.push(target);
    else groups.push([target]);
  }
  return groups;
}
