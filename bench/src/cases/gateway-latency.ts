import { publisherFor } from "../contenders/open-live-server.ts";
import type { Case } from "../suite/case.ts";
import { startServer } from "./live.ts";
import { payloadBytes } from "./plain.ts";
import { latencyFigures, spacedSizes, timeSpacedMessages } from "./spaced-messages.ts";

/** One message at a time from publish to a client's socket, through a server: three processes. */
export const gatewayLatency: Case = {
  name: "gateway-latency",
  title: "Publish to a client of the gateway",
  contenders: ["keyline", "keyline-history", "socket.io", "bare-sse"],
  part: "Channels and gateway",
  figures: latencyFigures,
  goals: [],
  run: async (contender, bench) => {
    const { server, url, options } = await startServer(contender, bench, payloadBytes);
    const listener = bench.start("listenLive", { contender, url, channel: options.name, messages: spacedSizes(bench).messages });
    const measurement = await timeSpacedMessages(listener, { publisher: publisherFor(contender), options }, bench);
    await server.dismiss();
    return measurement;
  },
};
