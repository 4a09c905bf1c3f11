import { runMetered } from "../process/metered.ts";
import { throughput, type Case } from "../suite/case.ts";
import { median } from "../suite/median.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes } from "./plain.ts";

/** Whether a long queue is a slow queue: 10,000 jobs at a time, with so many waiting whenever the worker starts. */
export const backlog: Case = {
  name: "backlog",
  title: "Process with 1,000,000 jobs waiting against 10,000",
  contenders: ["keyline"],
  figures: {
    ratio: { label: "1,000,000 to 10,000", unit: "x", better: "higher" },
    long: { ...throughput, label: "1,000,000 waiting" },
    short: { ...throughput, label: "10,000 waiting" },
  },
  goals: [{ figure: "ratio", atLeast: 0.95 }],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "backlog", payloadBytes };
    const backlogs = [bench.size(10_000, 100), bench.size(1_000_000, 1_000)];
    const sizes = { jobsPerRun: bench.size(10_000, 100), leadRuns: bench.size(3, 1), runs: bench.size(15, 2) };
    const worker = bench.start("drainAlternately", { contender, options, backlogs, concurrency: 50, ...sizes });
    const { result, aftermath } = await runMetered(worker, bench);
    for (const { added, delivered, repeated, unfinished } of aftermath) {
      expectExactly("jobs delivered or still waiting", added, delivered + unfinished);
      expectExactly("jobs delivered twice", 0, repeated);
    }
    const [short = Number.NaN, long = Number.NaN] = result.jobsPerSecond.map(median);
    return { figures: { ratio: long / short, long, short } };
  },
};
