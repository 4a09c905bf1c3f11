import { costsPerJob, runMetered, type Metered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import { throughput, type Case, type FigureKind } from "../suite/case.ts";
import type { ManyQueuesParams } from "../tasks/many-queues.ts";
import { expectExactly } from "./delivery.ts";
import { inFlight, payloadBytes } from "./plain.ts";

export const connections: FigureKind = { label: "connections", unit: "to Valkey", better: "lower" };

const queuesBy: Readonly<Record<string, number>> = { "keyline, 1 queue": 1, "keyline, 100 queues": 100, "keyline, 10,000 queues": 10_000 };

/** Queues in one process, with a worker each: jobs are added to them by turns and handled by the same process. */
export const scaleQueues: Case = {
  name: "scale-queues",
  title: "1, 100 and 10,000 queues in one process",
  contenders: Object.keys(queuesBy),
  figures: {
    throughput,
    connections,
    memory: { label: "resident memory", unit: "MB", better: "lower" },
  },
  goals: [],
  run: async (contender, bench) => {
    const asked = queuesBy[contender] ?? 1;
    const queues = Math.min(asked, bench.size(10_000, 20));
    const valkey = await bench.servers.freshValkey();
    let most = 0;
    const { metered, timed } = await passThrough({ valkey, queues }, { full: asked > 1_000 ? 30_000 : 400_000 }, bench, async () => {
      most = await bench.servers.connections();
    });
    return {
      figures: {
        throughput: (timed * 1_000) / metered.result.elapsedMs,
        connections: most,
        memory: metered.aftermath.residentBytes / 1_000_000,
      },
      costs: costsPerJob(metered, timed),
    };
  },
};

/** Lets jobs pass through queues with a worker each; `look` is called when all of them are there. */
export async function passThrough(
  where: Pick<ManyQueuesParams, "valkey" | "queues">,
  { full }: { readonly full: number },
  bench: Bench,
  look: () => Promise<void>,
): Promise<{ readonly metered: Metered<"manyQueues">; readonly timed: number }> {
  const jobs = bench.size(full, 400);
  const lead = jobs / 4;
  const settlingMs = bench.size(1_000, 10);
  const contender = bench.start("manyQueues", { ...where, jobs, lead, inFlight, concurrency: 50, payloadBytes, settlingMs });
  await contender.ready();
  await look();
  const metered = await runMetered(contender, bench);
  expectExactly("distinct jobs delivered", jobs, metered.aftermath.distinct);
  expectExactly("jobs delivered twice", 0, metered.aftermath.repeated);
  return { metered, timed: jobs - lead };
}
