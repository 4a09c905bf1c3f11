import { Contender } from "../process/contender.ts";
import { runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import { throughput, type Case } from "../suite/case.ts";
import { median } from "../suite/median.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes } from "./plain.ts";

async function drainFrom(backlog: number, contender: string, bench: Bench): Promise<number> {
  const options = { valkey: await bench.servers.freshValkey(), name: "backlog", payloadBytes };
  const params = { jobsPerRun: bench.size(10_000, 100), runs: bench.size(15, 2), warmUpJobs: bench.size(20_000, 50) };
  const worker = Contender.start("drainRepeatedly", { contender, options, backlog, concurrency: 50, ...params });
  const { result, aftermath } = await runMetered(worker, bench);
  expectExactly("jobs delivered and still waiting", aftermath.added, aftermath.delivered + aftermath.unfinished);
  return median(result.jobsPerSecond);
}

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
  goals: [{ figure: "ratio", atLeast: 0.9 }],
  run: async (contender, bench) => {
    const short = await drainFrom(bench.size(10_000, 100), contender, bench);
    const long = await drainFrom(bench.size(1_000_000, 1_000), contender, bench);
    return { figures: { ratio: long / short, long, short } };
  },
};
