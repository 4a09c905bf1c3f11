import type { Case } from "../suite/case.ts";
import { expectRegular } from "./delivery.ts";
import { jobsFor, leadShare, payloadBytes, type JobsByContender } from "./plain.ts";

const subscribers = 1_000;
const messagesBy: JobsByContender = { keyline: 70_000, "keyline-iterated": 15_000, "keyline-history": 60_000, "pub-sub": 90_000 };

/** One channel with 1,000 subscriptions in one process, which are handed each message by a listener or by an iteration. */
export const channelReceivers: Case = {
  name: "channel-receivers",
  title: "One channel, 1,000 subscriptions in a process",
  contenders: ["keyline", "keyline-iterated", "keyline-history", "pub-sub"],
  part: "Channels and gateway",
  figures: {
    deliveries: { label: "deliveries", unit: "deliveries/s", better: "higher" },
    subscriptions: { label: "on Valkey", unit: "subscriptions", better: "lower" },
  },
  goals: [
    { figure: "deliveries", atLeast: 1_000_000 },
    { figure: "deliveries", of: "keyline-iterated", atLeast: 1_000_000 },
    { figure: "subscriptions", atMost: 1 },
    { figure: "subscriptions", of: "keyline-iterated", atMost: 1 },
  ],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "receivers", payloadBytes };
    const messages = jobsFor(contender, messagesBy, bench, 100);
    const lead = Math.round(messages * leadShare);
    const task = bench.start("subscribers", { contender, options, subscribers, messages, lead });
    await task.ready();
    const subscriptions = await bench.servers.subscriptions();
    const { result } = await task.run();
    expectRegular(await task.dismiss());
    return { figures: { deliveries: ((messages - lead) * subscribers * 1_000) / result.elapsedMs, subscriptions } };
  },
};
