import type { Bench } from "../suite/bench.ts";
import type { Case, Measurement } from "../suite/case.ts";
import { payloadBytes } from "./plain.ts";
import { latencyFigures, spacedSizes, timeSpacedMessages } from "./spaced-messages.ts";

/** One entry at a time from the call of append to a follower in another process. */
export const streamFollowLatency: Case = {
  name: "stream-follow-latency",
  title: "Append to a follower in another process",
  part: "Streams",
  contenders: ["keyline-follower", "keyline-follower-transactional", "xread"],
  figures: latencyFigures,
  goals: [],
  run: (contender, bench) =>
    contender === "keyline-follower-transactional"
      ? bench.servers.withDatabase((postgres) => time(contender, { postgres }, bench))
      : time(contender, {}, bench),
};

async function time(contender: string, record: { readonly postgres?: string }, bench: Bench): Promise<Measurement> {
  const options = { ...record, valkey: await bench.servers.freshValkey(), name: "followed", payloadBytes };
  const listener = bench.start("listen", { contender, options, messages: spacedSizes(bench).messages });
  return timeSpacedMessages(listener, { publisher: contender, options }, bench);
}
