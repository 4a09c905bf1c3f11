import { Contender } from "../process/contender.ts";
import { runMetered } from "../process/metered.ts";
import type { Case } from "../suite/case.ts";
import { runDrain, startAdd } from "./plain.ts";

const payloadBytes = 100_000;

/** How often a large payload travels between the clients and Valkey on its way through a queue. */
export const payload100kb: Case = {
  name: "payload-100kb",
  title: "Bytes on the wire per byte of a 100 KB payload",
  contenders: ["keyline", "bullmq"],
  figures: { timesPayload: { label: "wire", unit: "x payload", better: "lower" } },
  goals: [{ figure: "timesPayload", atMost: 2.1 }],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "payload", payloadBytes };
    const run = { contender, options, jobs: bench.size(500, 20) };
    const added = await runMetered(startAdd(run, bench), bench);
    const worker = Contender.start("drain", { ...run, concurrency: 10, warmUpJobs: 0 });
    const drained = await runDrain(worker, run, bench);
    const bytes = [added, drained].reduce((sum, { used }) => sum + used.bytesIn + used.bytesOut, 0);
    return { figures: { timesPayload: bytes / run.jobs / payloadBytes } };
  },
};
