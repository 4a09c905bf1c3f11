/* Never refused, and free: it ends what was allowed, and counted, when it began. */
import type { FrameHandler } from "./frame-handler.ts";

export const leave: FrameHandler<"leave"> = {
  counts: "not",
  handle: async ({ channel, ref }, session, { presence }) => {
    await presence.leave(session, channel);
    session.send({ type: "done", ref });
  },
};

export const unwatch: FrameHandler<"unwatch"> = {
  counts: "not",
  handle: ({ channel, ref }, session, { presence }) => {
    presence.unwatch(session, channel);
    session.send({ type: "done", ref });
  },
};
