import { setTimeout as pause } from "node:timers/promises";
import { costsPerJob, runMetered } from "../process/metered.ts";
import { throughput, type Case } from "../suite/case.ts";
import { percentile } from "../suite/median.ts";
import { expectExactly } from "./delivery.ts";
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

/** One delayed job at a time, the worker asleep: how much later than its time its handler begins. */
export const delayedPrecision: Case = {
  name: "delayed-precision",
  title: "How late a delayed job begins, idle worker",
  contenders: ["keyline", "bullmq"],
  figures: {
    p50: { label: "late, p50", unit: "ms", better: "lower" },
    p99: { label: "late, p99", unit: "ms", better: "lower" },
  },
  goals: [{ figure: "p99", atMost: 50 }],
  run: async (contender, bench) => {
    const traits = { delayMs: 40 };
    const options = { valkey: await bench.servers.freshValkey(), name: "delayed-precision", payloadBytes, traits };
    const jobs = bench.size(200, 5);
    const { result, aftermath } = await runMetered(bench.start("ping", { contender, options, jobs, lead: bench.size(20, 2) }), bench);
    expectExactly("jobs delivered", jobs, result.latenciesMs.length);
    expectExactly("jobs left behind", 0, aftermath.unfinished);
    const lateMs = result.latenciesMs.map((latencyMs) => latencyMs - traits.delayMs);
    return { figures: { p50: percentile(lateMs, 50), p99: percentile(lateMs, 99) } };
  },
};
