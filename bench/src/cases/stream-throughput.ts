import { costsPerJob, runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, FigureKind } from "../suite/case.ts";
import { drain, inFlight, jobsFor, leadShare, payloadBytes, processPreloaded, type JobsByContender, type PlainRun } from "./plain.ts";

export const entryThroughput: FigureKind = { label: "throughput", unit: "entries/s", better: "higher" };

/** Entries that a consumer holds at a time. */
const concurrency = 500;

const appended: JobsByContender = { "keyline-stream": 900_000, xadd: 400_000, nats: 150_000 };
const consumed: JobsByContender = { "keyline-stream": 1_000_000, xreadgroup: 1_000_000, nats: 300_000 };

/** Appends with 1,000 callers at a time; afterwards, off the clock, a consumer takes all of them and counts. */
export const streamAppend: Case = {
  name: "stream-append",
  title: "Append to a stream, 1,000 in flight",
  part: "Streams",
  costsPer: "entry",
  contenders: ["keyline-stream", "xadd", "nats"],
  figures: { throughput: entryThroughput },
  goals: [{ figure: "throughput", against: ["xadd"], atLeast: 2 }],
  run: (contender, bench) =>
    onOwnServer(contender, "append", bench, async (options) => {
      const run = { contender, options, jobs: jobsFor(contender, appended, bench, 200) };
      const lead = Math.round(run.jobs * leadShare);
      const added = await runMetered(bench.start("add", { ...run, inFlight, lead }), bench);
      await drain(run, { concurrency, lead: 0 }, bench);
      const timed = run.jobs - lead;
      return { figures: { throughput: (timed * 1_000) / added.result.elapsedMs }, costs: costsPerJob(added, timed) };
    }),
};

/** Entries that are there already, consumed with acknowledgement by a group with one consumer: to the last handler. */
export const streamConsume: Case = {
  name: "stream-consume",
  title: "Consume with acknowledgement, 500 at a time",
  part: "Streams",
  costsPer: "entry",
  contenders: ["keyline-stream", "xreadgroup", "nats"],
  figures: { throughput: entryThroughput },
  goals: [{ figure: "throughput", against: ["xreadgroup"], atLeast: 1.5 }],
  run: (contender, bench) =>
    onOwnServer(contender, "consume", bench, (options) =>
      processPreloaded({ contender, options, jobs: jobsFor(contender, consumed, bench, 200) }, concurrency, bench),
    ),
};

async function onOwnServer<Result>(
  contender: string,
  name: string,
  bench: Bench,
  use: (options: PlainRun["options"]) => Promise<Result>,
): Promise<Result> {
  const options = { valkey: await bench.servers.freshValkey(), name, payloadBytes };
  return contender === "nats" ? bench.servers.withNats((nats) => use({ ...options, nats })) : use(options);
}
