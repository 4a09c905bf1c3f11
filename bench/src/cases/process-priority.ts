import { throughput, type Case } from "../suite/case.ts";
import { jobsFor, payloadBytes, processPreloaded, type JobsByContender } from "./plain.ts";

const jobs: JobsByContender = { keyline: 300_000, bullmq: 60_000 };

/** Jobs of three priorities that wait already, a third of each. */
export const processPriority: Case = {
  name: "process-priority",
  title: "Process jobs of three priorities, concurrency 50",
  contenders: ["keyline", "bullmq"],
  figures: { throughput },
  goals: [{ figure: "throughput", against: ["bullmq"], atLeast: 5 }],
  run: async (contender, bench) => {
    const valkey = await bench.servers.freshValkey();
    const options = { valkey, name: "priority", payloadBytes, traits: { hasPriorities: true } };
    return processPreloaded({ contender, options, jobs: jobsFor(contender, jobs, bench, 200) }, 50, bench);
  },
};
