// The least that server-sent events which can be resumed cost without a library: messages are numbered as they come from pub/sub, the last
// thousand frames are kept in this process, and a client that comes back with its number gets those behind it in one write. What was published
// while this process was away is lost without a word, and another process counts otherwise: nobody can come back to it.
import { openBareSse } from "./bare-sse-server.ts";
import type { OpenLiveServer } from "./live-server.ts";

const mostKept = 1_000;

export const open: OpenLiveServer = (options) => {
  const frames: Buffer[] = [];
  let last = 0;
  return openBareSse(options, {
    frameOf: (text) => {
      const frame = Buffer.from(`id: ${++last}\nevent: message\ndata: ${text}\n\n`);
      frames.push(frame);
      if (frames.length > mostKept) frames.shift();
      return frame;
    },
    openingOf: (headers) => {
      const missed = last - Number(headers["last-event-id"] ?? last);
      return missed > 0 ? Buffer.concat(frames.slice(-missed)) : `id: ${last}\n\n`;
    },
  });
};
