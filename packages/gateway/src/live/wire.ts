import type { Gap, Message } from "keyline";
import { membersOf } from "./members-of.ts";

/** How a feed looks to its receivers. `place` is where to resume behind it; empty where nothing can be resumed. */
export interface Wire {
  /** Feeds of the same channels in the same form are one. */
  readonly key: string;
  message(message: Message, place: string): string;
  gap(gap: Gap, place: string): string;
  /** The bytes of several frames, written to every receiver as they are. */
  encode(texts: readonly string[]): Buffer;
}

/** Server-sent events. JSON has no line breaks, and a place consists of cursors and commas: neither can forge a field. */
export const eventStreamWire: Wire = {
  key: "sse",
  message: (message, place) => `${idLine(place)}event: message\ndata: {${membersOf(message)}}\n\n`,
  gap: ({ channel, reason, missed }, place) => {
    return `${idLine(place)}event: gap\ndata: ${JSON.stringify({ channel, reason, missed: missed ?? null })}\n\n`;
  },
  encode: (texts) => Buffer.from(texts.length === 1 ? (texts[0] ?? "") : texts.join("")),
};

/** An id without data: it dispatches no event, and yet a browser resumes from it. */
export function idLine(place: string): string {
  return hasCursor(place) ? `id: ${place}\n` : "";
}

/** WebSocket: one text frame for each message, with the name that the client gave its subscription. */
export function webSocketWire(sub: number | undefined): Wire {
  const name = sub === undefined ? {} : { sub };
  const beginning = sub === undefined ? '{"type":"message",' : `{"type":"message","sub":${sub},`;
  return {
    key: `ws${sub ?? ""}`,
    message: (message, place) => {
      const cursor = place === "" ? "null" : `"${place}"`;
      return `${beginning}${membersOf(message)},"cursor":${cursor}}`;
    },
    gap: ({ channel, reason, missed }, place) => {
      return JSON.stringify({ type: "gap", ...name, channel, reason, missed: missed ?? null, cursor: place === "" ? null : place });
    },
    encode: (texts) => (texts.length === 1 ? toTextFrame(texts[0] ?? "") : Buffer.concat(texts.map(toTextFrame))),
  };
}

/** An unmasked, final text frame: RFC 6455, section 5.2. Made here, once for all receivers, instead of by each connection. */
export function toTextFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headLength + length);
  frame[0] = 0x81;
  if (headLength === 2) frame[1] = length;
  else if (headLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, headLength);
  return frame;
}

// Of a composite place, the commas alone say nothing.
function hasCursor(place: string): boolean {
  return place !== "" && /[^,]/.test(place);
}

/** The frame of a message; a gap for one whose data a schema turned into something that JSON cannot hold. */
export function frameOf(wire: Wire, message: Message, place: string): string {
  try {
    return wire.message(message, place);
  } catch {
    return wire.gap({ channel: message.channel, reason: "dropped", missed: 1, cursor: message.cursor }, place);
  }
}
