import type { Case } from "../suite/case.ts";
import { drain, preload } from "./plain.ts";

const payloadBytes = 100_000;

/** How often a large payload travels between the clients and Valkey on its way through a queue. */
export const payload100kb: Case = {
  name: "payload-100kb",
  title: "Bytes on the wire per byte of a 100 KB payload",
  contenders: ["keyline", "bullmq"],
  figures: { timesPayload: { label: "wire", unit: "x payload", better: "lower" } },
  goals: [{ figure: "timesPayload", atMost: 2.05 }],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "payload", payloadBytes };
    const run = { contender, options, jobs: bench.size(500, 20) };
    const before = await bench.servers.read();
    await preload(run, bench);
    await drain(run, { concurrency: 10, lead: 0 }, bench);
    const after = await bench.servers.read();
    const bytes = after.bytesIn + after.bytesOut - before.bytesIn - before.bytesOut;
    return { figures: { timesPayload: bytes / run.jobs / payloadBytes } };
  },
};
