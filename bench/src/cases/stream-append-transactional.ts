import { costsPerJob, runMetered } from "../process/metered.ts";
import type { Case } from "../suite/case.ts";
import { expectExactly, expectRegular } from "./delivery.ts";
import { inFlight, jobsFor, leadShare, payloadBytes, type JobsByContender } from "./plain.ts";
import { entryThroughput } from "./stream-throughput.ts";

const events: JobsByContender = { keyline: 200_000, emmett: 8_000 };

/** Appends that are committed in PostgreSQL, with 1,000 callers at a time; then what Valkey has of them is held against the record. */
export const streamAppendTransactional: Case = {
  name: "stream-append-transactional",
  title: "Append to a transactional stream, 1,000 in flight",
  part: "Streams",
  costsPer: "entry",
  contenders: ["keyline", "emmett"],
  figures: { throughput: entryThroughput },
  goals: [
    { figure: "throughput", atLeast: 20_000 },
    { figure: "throughput", against: ["emmett"], atLeast: 30 },
  ],
  run: (contender, bench) =>
    bench.servers.withDatabase(async (postgres) => {
      const options = { valkey: await bench.servers.freshValkey(), postgres, name: "events", payloadBytes };
      const all = jobsFor(contender, events, bench, 200);
      const lead = Math.round(all * leadShare);
      const appended = await runMetered(bench.start("recordEvents", { contender, options, events: all, lead, inFlight }), bench);
      const { recorded } = appended.aftermath;
      expectExactly("events recorded", all, recorded.total);
      expectExactly("distinct events recorded", all, recorded.distinct);
      expectRegular(appended.aftermath);
      const timed = all - lead;
      return { figures: { throughput: (timed * 1_000) / appended.result.elapsedMs }, costs: costsPerJob(appended, timed) };
    }),
};
