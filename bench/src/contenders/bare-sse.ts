// The least that server-sent events can cost without a library: what pub/sub brings is framed once and written to every response. Nobody
// is asked who they are, nobody who reads too slowly is noticed, and nobody can resume.
import { openBareSse } from "./bare-sse-server.ts";
import type { OpenLiveServer } from "./live-server.ts";

export const open: OpenLiveServer = (options) =>
  openBareSse(options, {
    frameOf: (text) => Buffer.from(`data: ${text}\n\n`),
    openingOf: () => ":\n\n",
  });
