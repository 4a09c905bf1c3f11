import type { Entry, StreamGap } from "keyline";
import { idLine, toTextFrame } from "../live/wire.ts";

/** How followed entries look to a client. */
export interface FollowWire {
  /** Throws for data that a schema turned into something that JSON cannot hold. */
  entry(entry: Entry<unknown>): Buffer;
  gap(gap: StreamGap): Buffer;
  /** Entries up to here were none that the client asked for. */
  passed(id: string): Buffer;
}

/** The entry's members as JSON. */
export function entryJson({ id, data, at, key }: Entry<unknown>): string {
  return `"id":"${id}","data":${JSON.stringify(data) ?? "null"},"at":${at},"key":${JSON.stringify(key) ?? "null"}`;
}

/** Server-sent events. Ids are digits, and JSON has no line breaks: neither can forge a field. */
export const followEventWire: FollowWire = {
  entry: (entry) => Buffer.from(`${idLine(entry.id)}event: entry\ndata: {${entryJson(entry)}}\n\n`),
  gap: ({ reason, after, until }) => Buffer.from(`${idLine(until)}event: gap\ndata: ${JSON.stringify({ reason, after, until })}\n\n`),
  passed: (id) => Buffer.from(`${idLine(id)}\n`),
};

/** WebSocket frames, with the name that the client gave what it follows. */
export function followFrameWire(stream: string, sub: number | undefined): FollowWire {
  const address = { stream, sub };
  const beginning = `{"type":"entry",${JSON.stringify(address).slice(1, -1)},`;
  return {
    entry: (entry) => toTextFrame(`${beginning}${entryJson(entry)}}`),
    gap: ({ reason, after, until }) => toTextFrame(JSON.stringify({ type: "gap", ...address, reason, after, until })),
    passed: (id) => toTextFrame(JSON.stringify({ type: "passed", ...address, id })),
  };
}
