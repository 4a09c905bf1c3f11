import { runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, FigureKind, Measurement } from "../suite/case.ts";
import { percentile } from "../suite/median.ts";

/** As large as filling it is a matter of seconds. */
const jobs: Readonly<Record<string, number>> = { keyline: 1_000_000, "keyline-transactional": 200_000 };
const figures = ["overview", "queue", "jobs", "groups", "job"] as const;

/** How long the first page of a console takes that was just opened, on a long queue. */
export const consolePages: Case = {
  name: "console",
  title: "First pages of the console, 1,000,000 jobs (transactional: 200,000) in 10,000 groups",
  contenders: ["keyline", "keyline-transactional"],
  figures: Object.fromEntries(figures.map((page): [string, FigureKind] => [page, { label: `${page}, p95`, unit: "ms", better: "lower" }])),
  goals: figures.flatMap((figure) => [
    { figure, atMost: 300 },
    { figure, of: "keyline-transactional", atMost: 300 },
  ]),
  run: async (contender, bench) => {
    const size = bench.size(jobs[contender] ?? 0, 1_000);
    if (contender === "keyline") return open({ jobs: size }, bench);
    return bench.servers.withDatabase((postgres) => open({ jobs: size, postgres }, bench));
  },
};

async function open(on: { readonly jobs: number; readonly postgres?: string }, bench: Bench): Promise<Measurement> {
  const valkey = await bench.servers.freshValkey();
  const task = bench.start("consolePages", { ...on, valkey, groups: bench.size(10_000, 100), consoles: bench.size(50, 2) });
  const { result } = await runMetered(task, bench);
  return { figures: Object.fromEntries(figures.map((page) => [page, percentile([...(result.latenciesMs[page] ?? [])], 95)])) };
}
