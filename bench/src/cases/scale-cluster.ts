import { startValkeyCluster, type EmbeddedValkeyCluster } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { readValkey, type ValkeyReading } from "../servers/valkey-meter.ts";
import type { Bench } from "../suite/bench.ts";
import { throughput, type Case, type Measurement } from "../suite/case.ts";
import { passThrough } from "./scale-queues.ts";

const queues = 12;
const jobs = { full: 400_000 };

/** The same twelve queues on one server, and on three primaries, each of which has some of them. */
export const scaleCluster: Case = {
  name: "scale-cluster",
  title: "12 queues on one server and on a cluster of 3 primaries",
  contenders: ["keyline", "keyline-cluster"],
  figures: {
    throughput,
    busiest: { label: "busiest server", unit: "µs of its CPU a job", better: "lower" },
    all: { label: "all servers", unit: "µs of CPU a job", better: "lower" },
  },
  goals: [],
  run: async (contender, bench) => {
    if (contender === "keyline") return measure({ valkey: await bench.servers.freshValkey() }, bench);
    const cluster = await startValkeyCluster();
    try {
      return await measure({ cluster }, bench);
    } finally {
      await cluster.stop();
    }
  },
};

async function measure(
  where: { readonly valkey: string } | { readonly cluster: EmbeddedValkeyCluster },
  bench: Bench,
): Promise<Measurement> {
  const primaries = "cluster" in where ? where.cluster.nodes.slice(0, 3) : [];
  const urls = "cluster" in where ? primaries.map(({ url }) => url) : [where.valkey];
  const valkey = "cluster" in where ? { cluster: primaries.map(({ url }) => endOf(url)) } : where.valkey;
  const observers = urls.map((url) => new Valkey(url, { commandTimeout: 60_000 }));
  try {
    const readAll = (): Promise<ValkeyReading[]> => Promise.all(observers.map(readValkey));
    let before: ValkeyReading[] = [];
    const { metered, timed } = await passThrough({ valkey, queues }, jobs, bench, async () => void (before = await readAll()));
    const after = await readAll();
    const perJob = after.map(({ cpuUs }, index) => (cpuUs - (before[index]?.cpuUs ?? Number.NaN)) / timed);
    return {
      figures: {
        throughput: (timed * 1_000) / metered.result.elapsedMs,
        busiest: Math.max(...perJob),
        all: perJob.reduce((sum, each) => sum + each, 0),
      },
    };
  } finally {
    for (const observer of observers) observer.disconnect();
  }
}

function endOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
