import { costsPerJob, runMetered } from "../process/metered.ts";
import { throughput, type Case } from "../suite/case.ts";
import { drain, inFlight, jobsFor, leadShare, payloadBytes, type JobsByContender } from "./plain.ts";

const jobs: JobsByContender = { keyline: 900_000, bullmq: 100_000, "bee-queue": 200_000, floor: 1_000_000 };

/** Adds with 1,000 callers at a time; afterwards, off the clock, a worker takes all of them and counts. */
export const add: Case = {
  name: "add",
  title: "Add, 1,000 in flight",
  contenders: ["keyline", "bullmq", "bee-queue", "floor"],
  figures: { throughput },
  goals: [
    { figure: "throughput", against: ["bullmq"], atLeast: 15 },
    { figure: "throughput", against: ["bee-queue"], atLeast: 8 },
    { figure: "throughput", against: ["floor"], atLeast: 0.75 },
  ],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "add", payloadBytes };
    const run = { contender, options, jobs: jobsFor(contender, jobs, bench, 200) };
    const lead = Math.round(run.jobs * leadShare);
    const added = await runMetered(bench.start("add", { ...run, inFlight, lead }), bench);
    await drain(run, { concurrency: 200, lead: 0 }, bench);
    const timedJobs = run.jobs - lead;
    return {
      figures: { throughput: (timedJobs * 1_000) / added.result.elapsedMs },
      costs: costsPerJob(added, timedJobs),
    };
  },
};
