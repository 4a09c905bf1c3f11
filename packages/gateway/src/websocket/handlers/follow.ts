import { Problem } from "../../server/problem.ts";
import { findBeginning } from "../../streams/beginning.ts";
import type { FrameHandler } from "./frame-handler.ts";
import { checkRoom } from "./room.ts";

export const follow: FrameHandler<"follow"> = {
  counts: "here",
  handle: async ({ stream, sub, after, key, ref }, session, parts) => {
    const { streams, follows } = parts;
    if (follows.has(session, { stream, sub })) {
      throw new Problem({ title: "Something of this name is followed already", status: 409, code: "INVALID_FRAME" });
    }
    const exposure = await streams.toRead(session.visitor, stream);
    checkRoom(session, parts);
    const filter = { after: after ?? undefined, key: key ?? undefined };
    const place = await findBeginning(exposure.stream, filter);
    if (session.isEnding || session.socket.destroyed) return;
    follows.begin(session, exposure.stream, { stream, sub, after: place, key: filter.key });
    session.send({ type: "following", stream, sub, ref, after: place });
  },
};

export const unfollow: FrameHandler<"unfollow"> = {
  counts: "not",
  handle: (frame, session, { follows }) => follows.end(session, frame, null),
};
