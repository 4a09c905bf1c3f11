import { costsPerJob, runMetered } from "../process/metered.ts";
import type { Case } from "../suite/case.ts";
import { expectRegular } from "./delivery.ts";
import { payloadBytes } from "./plain.ts";
import { entryThroughput } from "./stream-throughput.ts";

/** A table that is made of a whole stream, with one statement a page: to the last commit. */
export const streamProject: Case = {
  name: "stream-project",
  title: "Project 100,000 entries into a table",
  part: "Streams",
  costsPer: "entry",
  contenders: ["keyline", "keyline-transactional"],
  figures: { throughput: entryThroughput },
  goals: [
    { figure: "throughput", atLeast: 80_000 },
    { figure: "throughput", of: "keyline-transactional", atLeast: 80_000 },
  ],
  run: (contender, bench) =>
    bench.servers.withDatabase(async (postgres) => {
      const valkey = await bench.servers.freshValkey();
      const sizes = { entries: bench.size(100_000, 2_500), keys: bench.size(1_000, 10) };
      const isTransactional = contender === "keyline-transactional";
      const projected = await runMetered(bench.start("project", { valkey, postgres, isTransactional, payloadBytes, ...sizes }), bench);
      expectRegular(projected.aftermath);
      const throughput = (sizes.entries * 1_000) / projected.result.elapsedMs;
      return { figures: { throughput }, costs: costsPerJob(projected, sizes.entries) };
    }),
};
