import { Ledger } from "../tasks/ledger.ts";
import { TakeWatch } from "../servers/take-watch.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, Measurement } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes, preload, type PlainRun } from "./plain.ts";

const processes = 2;
const workersEach = 2;

/** Four workers in two processes and a limit that they could break many times over. When each job was taken is the server's word. */
export const rateLimited: Case = {
  name: "rate-limited",
  title: "A limit of 5,000 jobs a second, four workers in two processes",
  contenders: ["keyline"],
  figures: {
    achieved: { label: "achieved", unit: "of the limit", better: "higher" },
    fullest: { label: "fullest window", unit: "of the limit", better: "lower" },
  },
  goals: [
    { figure: "achieved", atLeast: 0.98 },
    { figure: "fullest", atMost: 1 },
  ],
  run: async (contender, bench) => {
    const rate = { max: bench.size(5_000, 50), per: bench.size(1_000, 200) };
    const options = { valkey: await bench.servers.freshValkey(), name: "limited", payloadBytes, rate };
    // The first window's jobs go at once; the others take so many windows more.
    const run = { contender, options, jobs: rate.max * bench.size(9, 4) };
    await preload(run, bench);
    const watch = await TakeWatch.start(options.valkey);
    try {
      await drainTogether(run, bench);
      const takenAtMs = await watch.reach(run.jobs);
      expectExactly("jobs taken, by the server's account", run.jobs, takenAtMs.length);
      return judge(takenAtMs, rate);
    } finally {
      watch.stop();
    }
  },
};

async function drainTogether(run: PlainRun, bench: Bench): Promise<void> {
  const contenders = Array.from({ length: processes }, () => bench.start("drainShare", { ...run, workers: workersEach, concurrency: 50 }));
  await Promise.all(contenders.map((contender) => contender.ready()));
  await Promise.all(contenders.map((contender) => contender.run()));
  const ledger = new Ledger(0, run.jobs);
  for (const { handled, unfinished } of await Promise.all(contenders.map((contender) => contender.dismiss()))) {
    for (const seq of handled) ledger.record(seq);
    expectExactly("jobs left behind", 0, unfinished);
  }
  expectExactly("distinct jobs delivered", run.jobs, ledger.distinct);
  expectExactly("jobs delivered twice", 0, ledger.repeated);
}

/** Throws when more than `max` jobs were taken in less than `per` milliseconds. */
function judge(takenAtMs: readonly number[], { max, per }: { readonly max: number; readonly per: number }): Measurement {
  const spans = takenAtMs.slice(max).map((at, index) => at - (takenAtMs[index] ?? Number.NaN));
  const fullest = fullestWindow(takenAtMs, per);
  if (fullest > max) throw new Error(`${fullest} jobs were taken within ${per} ms, of at most ${max}.`);
  // What a job waited for the place of the one so many before it, on average: for as long as `per` where the limit is made use of.
  const span = spans.reduce((sum, each) => sum + each, 0) / spans.length;
  return { figures: { achieved: per / span, fullest: fullest / max } };
}

function fullestWindow(takenAtMs: readonly number[], per: number): number {
  let first = 0;
  let fullest = 0;
  takenAtMs.forEach((at, index) => {
    while (at - (takenAtMs[first] ?? at) >= per) first++;
    fullest = Math.max(fullest, index - first + 1);
  });
  return fullest;
}
