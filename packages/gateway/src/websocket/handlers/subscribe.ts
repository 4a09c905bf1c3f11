import { parsePlace } from "../../live/place.ts";
import { webSocketWire } from "../../live/wire.ts";
import { Problem } from "../../server/problem.ts";
import type { FrameHandler } from "./frame-handler.ts";
import { checkRoom } from "./room.ts";

export const subscribe: FrameHandler<"subscribe"> = {
  counts: "here",
  handle: async ({ channel, sub, since }, session, parts) => {
    if (session.subscriptions.has(sub ?? channel)) {
      throw new Problem({ title: "There is a subscription of this name already", status: 409, code: "INVALID_FRAME" });
    }
    const exposure = await parts.channels.toRead(session.visitor, channel);
    const place = parsePlace(since ?? undefined, 1);
    checkRoom(session, parts);
    const feed = await parts.feeds.open([exposure.channel], webSocketWire(sub));
    if (session.isEnding || session.socket.destroyed) return;
    const start = feed.enter(session, place);
    session.hold({ channel, sub, feed });
    session.send({ type: "subscribed", channel, sub, cursor: start === "" ? null : start });
  },
};

export const unsubscribe: FrameHandler<"unsubscribe"> = {
  counts: "not",
  handle: (frame, session) => session.release(frame, null),
};
