import { runMetered } from "../process/metered.ts";
import type { Case } from "../suite/case.ts";
import { percentile } from "../suite/median.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes } from "./plain.ts";

/** One job at a time from add to handler, the worker asleep. */
export const latency: Case = {
  name: "latency",
  title: "Add to handler, idle worker",
  contenders: ["keyline", "bullmq", "blmove"],
  figures: {
    p50: { label: "p50", unit: "ms", better: "lower" },
    p99: { label: "p99", unit: "ms", better: "lower" },
  },
  goals: [
    { figure: "p50", against: ["bullmq"], atMost: 0.4 },
    { figure: "p99", against: ["bullmq"], atMost: 0.4 },
    { figure: "p50", against: ["blmove"], atMost: 1.1 },
    { figure: "p99", against: ["blmove"], atMost: 1.5 },
  ],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "latency", payloadBytes };
    const jobs = bench.size(2_000, 20);
    const worker = bench.start("ping", { contender, options, jobs, lead: bench.size(500, 5) });
    const { result, aftermath } = await runMetered(worker, bench);
    expectExactly("jobs delivered", jobs, result.latenciesMs.length);
    expectExactly("jobs left behind", 0, aftermath.unfinished);
    return { figures: { p50: percentile(result.latenciesMs, 50), p99: percentile(result.latenciesMs, 99) } };
  },
};
