import { runMetered } from "../process/metered.ts";
import type { Case } from "../suite/case.ts";
import { percentile } from "../suite/median.ts";
import { expectExactly } from "./delivery.ts";

export const commitToHandler: Case = {
  name: "commit-to-handler",
  title: "Commit to handler, transactional queue, idle worker",
  contenders: ["keyline"],
  figures: {
    ownP50: { label: "keyline.transaction, p50", unit: "ms", better: "lower" },
    ownP99: { label: "keyline.transaction, p99", unit: "ms", better: "lower" },
    foreignP50: { label: "the caller's pg client, p50", unit: "ms", better: "lower" },
    foreignP99: { label: "the caller's pg client, p99", unit: "ms", better: "lower" },
  },
  goals: [
    { figure: "ownP50", atMost: 0.5 },
    { figure: "foreignP50", atMost: 0.5 },
  ],
  run: (_contender, bench) =>
    bench.servers.withDatabase(async (postgres) => {
      const valkey = await bench.servers.freshValkey();
      const jobs = bench.size(300, 5);
      const worker = bench.start("commitToHandler", { valkey, postgres, jobs, lead: bench.size(100, 2) });
      const { result, aftermath } = await runMetered(worker, bench);
      expectExactly("jobs delivered", 2 * jobs, result.ownMs.length + result.foreignMs.length);
      expectExactly("jobs left behind", 0, aftermath.unfinished);
      return {
        figures: {
          ownP50: percentile(result.ownMs, 50),
          ownP99: percentile(result.ownMs, 99),
          foreignP50: percentile(result.foreignMs, 50),
          foreignP99: percentile(result.foreignMs, 99),
        },
      };
    }),
};
