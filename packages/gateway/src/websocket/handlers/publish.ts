import type { FrameHandler } from "./frame-handler.ts";

export const publish: FrameHandler<"publish"> = {
  counts: "everywhere",
  handle: async ({ channel: name, data, ref }, session, { channels }) => {
    const { channel } = await channels.toPublish(session.visitor, name);
    const { id, receivers } = await channel.publish(data as never);
    session.send({ type: "published", ref, id, receivers });
  },
};
