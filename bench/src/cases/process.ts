import { throughput, type Case } from "../suite/case.ts";
import { jobsFor, payloadBytes, processPreloaded, type JobsByContender } from "./plain.ts";

function processAt(concurrency: number, timesBullmq: number, jobs: JobsByContender): Case {
  return {
    name: `process-${concurrency}`,
    title: `Process, concurrency ${concurrency}`,
    contenders: ["keyline", "bullmq", "bee-queue", "floor"],
    figures: { throughput },
    goals: [
      { figure: "throughput", against: ["bullmq"], atLeast: timesBullmq },
      { figure: "throughput", against: ["floor"], atLeast: 0.5 },
    ],
    run: async (contender, bench) => {
      const options = { valkey: await bench.servers.freshValkey(), name: "process", payloadBytes };
      const run = { contender, options, jobs: jobsFor(contender, jobs, bench, 200) };
      return processPreloaded(run, concurrency, bench);
    },
  };
}

export const process1 = processAt(1, 8, { keyline: 250_000, bullmq: 15_000, "bee-queue": 15_000, floor: 45_000 });
export const process10 = processAt(10, 10, { keyline: 500_000, bullmq: 45_000, "bee-queue": 35_000, floor: 300_000 });
export const process50 = processAt(50, 12, { keyline: 600_000, bullmq: 60_000, "bee-queue": 50_000, floor: 800_000 });
export const process200 = processAt(200, 15, { keyline: 700_000, bullmq: 60_000, "bee-queue": 50_000, floor: 900_000 });
