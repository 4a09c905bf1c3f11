import type { Case } from "../suite/case.ts";
import { payloadBytes } from "./plain.ts";
import { latencyFigures, spacedSizes, timeSpacedMessages } from "./spaced-messages.ts";

/** One message at a time from publish to the handler of a subscription in another process. */
export const channelLatency: Case = {
  name: "channel-latency",
  title: "Publish to handler in another process",
  contenders: ["keyline", "keyline-history", "socket.io", "pub-sub"],
  part: "Channels and gateway",
  figures: latencyFigures,
  goals: [
    { figure: "p50", against: ["pub-sub"], atMost: 1 },
    { figure: "p50", of: "keyline-history", against: ["pub-sub"], atMost: 1.4 },
  ],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "latency", payloadBytes };
    const listener = bench.start("listen", { contender, options, messages: spacedSizes(bench).messages });
    return timeSpacedMessages(listener, { publisher: contender, options }, bench);
  },
};
