import type { EffectMode } from "../contenders/effect-queue.ts";
import { costsPerJob, runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import { throughput, type Case, type Measurement } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";
import { jobsFor, leadShare, payloadBytes, type JobsByContender } from "./plain.ts";

const contenders = ["keyline", "pg-boss", "graphile-worker"];
const peers = ["pg-boss", "graphile-worker"];

async function runEffects(contender: string, mode: EffectMode, jobs: number, bench: Bench): Promise<Measurement> {
  return bench.servers.withDatabase(async (postgres) => {
    const options = { valkey: await bench.servers.freshValkey(), postgres, name: "effects", payloadBytes };
    const lead = Math.round(jobs * leadShare);
    const settled = await runMetered(bench.start("effects", { contender, options, mode, jobs, lead }), bench);
    const { effects, unfinished } = settled.aftermath;
    expectExactly("effects in the table", jobs, effects.total);
    expectExactly("distinct effects in the table", jobs, effects.distinct);
    expectExactly("jobs left behind", 0, unfinished);
    const { timedJobs, elapsedMs } = settled.result;
    return { figures: { throughput: (timedJobs * 1_000) / elapsedMs }, costs: costsPerJob(settled, timedJobs) };
  });
}

const batchJobs: JobsByContender = {
  keyline: 150_000,
  "bare-dispatch": 300_000,
  "bare-statements": 300_000,
  "pg-boss": 25_000,
  "graphile-worker": 10_000,
};
const singleJobs: JobsByContender = { "keyline-statements": 40_000, keyline: 15_000, "pg-boss": 4_000, "graphile-worker": 10_000 };

export const effectsBatch: Case = {
  name: "effects-batch",
  title: "Exactly-once effects, batches of 100",
  contenders: [...contenders, "bare-dispatch", "bare-statements"],
  figures: { throughput },
  goals: [{ figure: "throughput", against: peers, atLeast: 10 }],
  run: (contender, bench) => runEffects(contender, "batch", jobsFor(contender, batchJobs, bench, 200), bench),
};

export const effectsSingle: Case = {
  name: "effects-single",
  title: "Exactly-once effects, one transaction per job",
  contenders: ["keyline-statements", ...contenders],
  figures: { throughput },
  goals: [
    { figure: "throughput", of: "keyline-statements", against: ["graphile-worker"], atLeast: 1.5 },
    { figure: "throughput", of: "keyline-statements", against: ["pg-boss"], atLeast: 4 },
  ],
  run: (contender, bench) => {
    const mode = contender === "keyline-statements" ? "statements" : "single";
    return runEffects(contender, mode, jobsFor(contender, singleJobs, bench, 200), bench);
  },
};

const stepJobs: JobsByContender = { "keyline-steps": 10_000, keyline: 15_000 };

/** A step beside a settle: it locks the row, writes what it came to, and the job ends after it. */
export const step: Case = {
  name: "step",
  title: "Jobs of one step with its effects, beside settles",
  contenders: ["keyline-steps", "keyline"],
  figures: { throughput },
  goals: [{ figure: "throughput", against: ["keyline"], atLeast: 0.5 }],
  run: (contender, bench) => {
    const mode = contender === "keyline-steps" ? "step" : "single";
    return runEffects(contender, mode, jobsFor(contender, stepJobs, bench, 200), bench);
  },
};
