import { append as appendTo } from "../../streams/append.ts";
import type { FrameHandler } from "./frame-handler.ts";

export const append: FrameHandler<"append"> = {
  counts: "everywhere",
  handle: async ({ ref, ...frame }, session, { streams, counts }) => {
    const door = await streams.toAppend(session.visitor, frame.stream);
    const { id, appended } = await appendTo(door, frame, counts);
    session.send({ type: "appended", ref, id, appended });
  },
};
