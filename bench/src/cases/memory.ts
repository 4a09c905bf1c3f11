import type { Case } from "../suite/case.ts";
import { drain, payloadBytes, preload } from "./plain.ts";

/** What a waiting job takes in Valkey beyond its payload. The first, small load brings scripts in that stay. */
export const memory: Case = {
  name: "memory",
  title: "Memory per waiting job beyond its payload",
  contenders: ["keyline", "bullmq", "bee-queue"],
  figures: { beyondPayload: { label: "beyond payload", unit: "bytes", better: "lower" } },
  goals: [{ figure: "beyondPayload", atMost: 70 }],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "memory", payloadBytes };
    const run = { contender, options, jobs: bench.size(10_000, 1_000) };
    await preload({ ...run, jobs: 10 }, bench);
    await bench.servers.freshValkey();
    const before = await bench.servers.usedMemory();
    await preload(run, bench);
    const after = await bench.servers.usedMemory();
    await drain(run, { concurrency: 200, lead: 0 }, bench);
    return { figures: { beyondPayload: (after - before) / run.jobs - payloadBytes } };
  },
};
