import type { Case } from "../suite/case.ts";
import { expectRegular } from "./delivery.ts";
import { leadShare, payloadBytes } from "./plain.ts";

const subscribers = 1_000;

/** One channel with 1,000 subscriptions in one process, which are handed each message by a listener or by an iteration. */
export const channelReceivers: Case = {
  name: "channel-receivers",
  title: "One channel, 1,000 subscriptions in a process",
  contenders: ["keyline", "keyline-iterated", "keyline-history", "pub-sub"],
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
    const messages = bench.size(20_000, 100);
    const lead = Math.round(messages * leadShare);
    const task = bench.start("subscribers", { contender, options, subscribers, messages, lead });
    await task.ready();
    const subscriptions = await bench.servers.subscriptions();
    const { result } = await task.run();
    expectRegular(await task.dismiss());
    return { figures: { deliveries: ((messages - lead) * subscribers * 1_000) / result.elapsedMs, subscriptions } };
  },
};
