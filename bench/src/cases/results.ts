import { runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case } from "../suite/case.ts";
import { percentile } from "../suite/median.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes } from "./plain.ts";

/** One job at a time from add to its result, the worker asleep; and beside it from add to the handler alone. */
export const results: Case = {
  name: "results",
  title: "Add to result, idle worker",
  contenders: ["keyline", "keyline-to-handler", "bullmq"],
  figures: {
    p50: { label: "p50", unit: "ms", better: "lower" },
    p99: { label: "p99", unit: "ms", better: "lower" },
  },
  goals: [
    { figure: "p50", against: ["keyline-to-handler"], atMost: 2 },
    { figure: "p50", against: ["bullmq"], atMost: 0.5 },
  ],
  run: async (contender, bench) => {
    const latenciesMs = await (contender === "keyline-to-handler" ? toHandler(bench) : toResult(contender, bench));
    expectExactly("jobs timed", jobsOf(bench), latenciesMs.length);
    return { figures: { p50: percentile(latenciesMs, 50), p99: percentile(latenciesMs, 99) } };
  },
};

const jobsOf = (bench: Bench): number => bench.size(2_000, 20);
const leadOf = (bench: Bench): number => bench.size(500, 5);

async function toResult(contender: string, bench: Bench): Promise<readonly number[]> {
  const options = { valkey: await bench.servers.freshValkey(), name: "results", payloadBytes };
  const asking = bench.start("pingResult", { contender, options, jobs: jobsOf(bench), lead: leadOf(bench) });
  return (await runMetered(asking, bench)).result.latenciesMs;
}

async function toHandler(bench: Bench): Promise<readonly number[]> {
  const options = { valkey: await bench.servers.freshValkey(), name: "results", payloadBytes };
  const params = { contender: "keyline", options, jobs: jobsOf(bench), lead: leadOf(bench) };
  return (await runMetered(bench.start("ping", params), bench)).result.latenciesMs;
}
