import { createRequire } from "node:module";
import { packageName as glideMq } from "../contenders/glide-mq.ts";
import { throughput, type Case } from "../suite/case.ts";
import { PeerMissing } from "../suite/peer-missing.ts";
import { drain, jobsFor, leadShare, payloadBytes, preload, throughputOf, type JobsByContender } from "./plain.ts";

const jobs: JobsByContender = { keyline: 300_000, "keyline-ungrouped": 600_000, "glide-mq": 60_000 };

/** Jobs of 10,000 groups that wait already. Each group's must come in the order in which they were added. */
export const processGrouped: Case = {
  name: "process-grouped",
  title: "Process jobs of 10,000 groups, concurrency 50",
  contenders: ["keyline", "keyline-ungrouped", "glide-mq"],
  figures: { throughput },
  goals: [
    { figure: "throughput", against: ["keyline-ungrouped"], atLeast: 0.5 },
    { figure: "throughput", against: ["glide-mq"], atLeast: 5 },
  ],
  run: async (contender, bench) => {
    if (contender === "glide-mq") expectPackage(glideMq);
    const groups = bench.size(10_000, 20);
    const options = {
      valkey: await bench.servers.freshValkey(),
      name: "grouped",
      payloadBytes,
      ...(contender !== "keyline-ungrouped" && { traits: { groups } }),
    };
    const run = { contender, options, jobs: jobsFor(contender, jobs, bench, 200) };
    await preload(run, bench);
    return throughputOf(await drain(run, { concurrency: 50, lead: Math.round(run.jobs * leadShare), groups }, bench));
  },
};

/** It is no dependency: npm's registry does not have it everywhere. */
function expectPackage(name: string): void {
  try {
    createRequire(import.meta.url).resolve(name);
  } catch {
    throw new PeerMissing(`the package is not installed (npm install --no-save ${name}, where the registry has it).`);
  }
}
