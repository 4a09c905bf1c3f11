import { append as appendTo } from "../../streams/append.ts";
import type { FrameHandler } from "./frame-handler.ts";

export const append: FrameHandler<"append"> = {
  counts: "everywhere",
  handle: async ({ ref, ...frame }, session, { streams, counts }) => {
    const exposure = await streams.toAppend(session.visitor, frame.stream);
    const { id, appended } = await appendTo(exposure, frame, counts);
    session.send({ type: "appended", ref, id, appended });
  },
};
