import { setTimeout as pause } from "node:timers/promises";
import type { Contender } from "../process/contender.ts";
import type { Bench } from "../suite/bench.ts";
import { throughput, type Case, type Measurement } from "../suite/case.ts";
import { Ledger } from "../tasks/ledger.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes, preload, type PlainRun } from "./plain.ts";
import { connections } from "./scale-queues.ts";

const concurrency = 50;
const untilAllWorkMs = 300;
const processesBy: Readonly<Record<string, number>> = {
  "keyline, 1 process": 1,
  "keyline, 2 processes": 2,
  "keyline, 4 processes": 4,
  "keyline, 8 processes": 8,
};

/** Jobs of one queue that wait already, processed by one worker in each of so many processes: from the first handler to the last. */
export const scaleProcesses: Case = {
  name: "scale-processes",
  title: "1, 2, 4 and 8 worker processes on one queue",
  contenders: Object.keys(processesBy),
  figures: { throughput, connections, memory: { label: "resident memory", unit: "MB a process", better: "lower" } },
  goals: [],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "scale", payloadBytes };
    const run = { contender: "keyline", options, jobs: bench.size(600_000, 400) };
    await preload(run, bench);
    const shares = Array.from({ length: processesBy[contender] ?? 1 }, () =>
      bench.start("drainShare", { ...run, workers: 1, concurrency }),
    );
    return drainTogether(shares, run, bench);
  },
};

async function drainTogether(shares: readonly Contender<"drainShare">[], { jobs }: PlainRun, bench: Bench): Promise<Measurement> {
  await Promise.all(shares.map((share) => share.ready()));
  const before = await bench.servers.read();
  const running = Promise.all(shares.map((share) => share.run()));
  await pause(untilAllWorkMs);
  // Each process has one of the bench's own, too.
  const most = (await bench.servers.connections()) - shares.length;
  const outcomes = await running;
  const after = await bench.servers.read();
  const found = await Promise.all(shares.map((share) => share.dismiss()));
  const ledger = new Ledger(0, jobs);
  for (const { handled } of found) for (const seq of handled) ledger.record(seq);
  expectExactly("distinct jobs delivered", jobs, ledger.distinct);
  expectExactly("jobs delivered twice", 0, ledger.repeated);
  expectExactly("jobs left behind", 0, found[0]?.unfinished ?? Number.NaN);
  const spans = found.flatMap(({ span }) => (span ? [span] : []));
  const elapsedMs = Math.max(...spans.map(([, last]) => last)) - Math.min(...spans.map(([first]) => first));
  const resident = found.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
  const clientCpuUs = outcomes.reduce((sum, outcome) => sum + outcome.clientCpuUs, 0);
  return {
    figures: {
      throughput: (jobs * 1_000) / elapsedMs,
      connections: most,
      memory: resident / shares.length / 1_000_000,
    },
    costs: {
      valkeyCommands: (after.commands - before.commands) / jobs,
      valkeyCpuUs: (after.cpuUs - before.cpuUs) / jobs,
      valkeyBytes: (after.bytesIn + after.bytesOut - before.bytesIn - before.bytesOut) / jobs,
      clientCpuUs: clientCpuUs / jobs,
    },
  };
}
