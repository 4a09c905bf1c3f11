import { costsPerJob, runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, Measurement } from "../suite/case.ts";
import { expectRegular } from "./delivery.ts";
import { inFlight, jobsFor, leadShare, payloadBytes, type JobsByContender } from "./plain.ts";

const messagesBy: JobsByContender = { keyline: 900_000, "keyline-history": 450_000, "publish-pipelined": 900_000, "xadd-publish": 450_000 };

/** Publishes with 1,000 callers at a time, each of whom waits for its answer, while one subscriber checks that everything comes. */
export const channelPublish: Case = {
  name: "channel-publish",
  title: "Publish, 1,000 in flight",
  contenders: ["keyline", "keyline-history", "publish-pipelined", "xadd-publish"],
  part: "Channels and gateway",
  costsPer: "message",
  figures: { throughput: { label: "throughput", unit: "messages/s", better: "higher" } },
  goals: [],
  run: (contender, bench) => bench.servers.withPatientSubscribers(() => publish(contender, bench)),
};

async function publish(contender: string, bench: Bench): Promise<Measurement> {
  const options = { valkey: await bench.servers.freshValkey(), name: "publish", payloadBytes };
  const messages = jobsFor(contender, messagesBy, bench, 2_000);
  const lead = Math.round(messages * leadShare);
  const tap = bench.start("tap", { valkey: options.valkey, messages });
  await tap.ready();
  const tapped = tap.run();
  const published = await runMetered(bench.start("publish", { contender, options, messages, lead, inFlight }), bench);
  await tapped;
  expectRegular(await tap.dismiss());
  const timed = messages - lead;
  return { figures: { throughput: (timed * 1_000) / published.result.elapsedMs }, costs: costsPerJob(published, timed) };
}
