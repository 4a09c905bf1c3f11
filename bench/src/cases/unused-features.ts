import { throughput, type Case } from "../suite/case.ts";
import { jobsFor, payloadBytes, processPreloaded } from "./plain.ts";

const jobs = { keyline: 600_000, "keyline-defaults": 600_000 };

/** A queue whose options are spelled out at their defaults must not be slower than one that was given none. */
export const unusedFeatures: Case = {
  name: "unused-features",
  title: "Options at their defaults against no options, concurrency 50",
  contenders: ["keyline", "keyline-defaults"],
  figures: { throughput },
  goals: [{ figure: "throughput", of: "keyline-defaults", against: ["keyline"], atLeast: 0.95 }],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "unused", payloadBytes };
    return processPreloaded({ contender, options, jobs: jobsFor(contender, jobs, bench, 200) }, 50, bench);
  },
};
