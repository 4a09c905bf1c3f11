import type { FrameHandler } from "./frame-handler.ts";
import { checkRoom } from "./room.ts";

export const enter: FrameHandler<"enter"> = {
  counts: "here",
  handle: async ({ channel, info, ref }, session, parts) => {
    const exposure = await parts.channels.toAttend(session.visitor, channel);
    if (!parts.presence.staysOf(session).includes(channel)) checkRoom(session, parts);
    await parts.presence.enter(session, exposure.channel, info);
    session.send({ type: "done", ref });
  },
};

export const watch: FrameHandler<"watch"> = {
  counts: "here",
  handle: async ({ channel, ref }, session, parts) => {
    const exposure = await parts.channels.toAttend(session.visitor, channel);
    if (!parts.presence.watchesOf(session).includes(channel)) checkRoom(session, parts);
    await parts.presence.watch(session, exposure.channel, ref);
  },
};
