import { costsPerJob, runMetered } from "../process/metered.ts";
import { throughput, type Case } from "../suite/case.ts";
import { drain, inFlight, jobsFor, leadShare, payloadBytes } from "./plain.ts";

const jobs = { keyline: 400_000, "keyline-instrumented": 400_000, "keyline-traced": 100_000 };

/** Adds, then processes what was added: not instrumented, instrumented where no provider is registered, and with spans of the real SDK that go nowhere. */
export const telemetry: Case = {
  name: "telemetry",
  title: "Not instrumented, instrumented without a provider, and traced, concurrency 50",
  contenders: ["keyline", "keyline-instrumented", "keyline-traced"],
  figures: { throughput, adds: { label: "adds", unit: "jobs/s", better: "higher" } },
  goals: [
    { figure: "throughput", of: "keyline-instrumented", against: ["keyline"], atLeast: 0.95 },
    { figure: "adds", of: "keyline-instrumented", against: ["keyline"], atLeast: 0.95 },
  ],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "telemetry", payloadBytes };
    const run = { contender, options, jobs: jobsFor(contender, jobs, bench, 200) };
    const lead = Math.round(run.jobs * leadShare);
    const added = await runMetered(bench.start("add", { ...run, inFlight, lead }), bench);
    const drained = await drain(run, { concurrency: 50, lead }, bench);
    const { timedJobs, elapsedMs } = drained.result;
    return {
      figures: { throughput: (timedJobs * 1_000) / elapsedMs, adds: ((run.jobs - lead) * 1_000) / added.result.elapsedMs },
      costs: costsPerJob(drained, timedJobs),
    };
  },
};
