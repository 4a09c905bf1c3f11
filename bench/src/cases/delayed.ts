import { setTimeout as pause } from "node:timers/promises";
import { costsPerJob, runMetered } from "../process/metered.ts";
import { throughput, type Case } from "../suite/case.ts";
import { drain, inFlight, jobsFor, leadShare, payloadBytes, preload, throughputOf, type JobsByContender } from "./plain.ts";

const addedJobs: JobsByContender = { keyline: 500_000, bullmq: 100_000 };
const processedJobs: JobsByContender = { keyline: 300_000, bullmq: 60_000 };

/** The same as `add`, but no job is due before it has been added for a while; then a worker takes all of them and counts. */
export const addDelayed: Case = {
  name: "add-delayed",
  title: "Add with a delay, 1,000 in flight",
  contenders: ["keyline", "bullmq"],
  figures: { throughput },
  goals: [{ figure: "throughput", against: ["bullmq"], atLeast: 5 }],
  run: async (contender, bench) => {
    const traits = { delayMs: bench.size(1_000, 100) };
    const options = { valkey: await bench.servers.freshValkey(), name: "add-delayed", payloadBytes, traits };
    const run = { contender, options, jobs: jobsFor(contender, addedJobs, bench, 200) };
    const lead = Math.round(run.jobs * leadShare);
    const added = await runMetered(bench.start("add", { ...run, inFlight, lead }), bench);
    await drain(run, { concurrency: 200, lead: 0 }, bench);
    const timedJobs = run.jobs - lead;
    return { figures: { throughput: (timedJobs * 1_000) / added.result.elapsedMs }, costs: costsPerJob(added, timedJobs) };
  },
};

/**
 * Jobs whose time has come before a worker starts. The clock runs from the first handler on, without a lead: who brings jobs to the queue
 * ahead of its worker does that on the clock too.
 */
export const processDelayed: Case = {
  name: "process-delayed",
  title: "Process jobs that are due, concurrency 50",
  contenders: ["keyline", "bullmq"],
  figures: { throughput },
  goals: [{ figure: "throughput", against: ["bullmq"], atLeast: 5 }],
  run: async (contender, bench) => {
    const traits = { delayMs: bench.size(1_000, 50) };
    const options = { valkey: await bench.servers.freshValkey(), name: "process-delayed", payloadBytes, traits };
    const run = { contender, options, jobs: jobsFor(contender, processedJobs, bench, 200) };
    await preload(run, bench);
    await pause(traits.delayMs + 10);
    return throughputOf(await drain(run, { concurrency: 50, lead: 1 }, bench));
  },
};
