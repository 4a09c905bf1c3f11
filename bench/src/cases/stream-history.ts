import { runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, Measurement } from "../suite/case.ts";
import { percentile } from "../suite/median.ts";
import { expectExactly, expectRegular } from "./delivery.ts";
import { payloadBytes } from "./plain.ts";

const short = 10_000;
/** As large as filling it is a matter of seconds. */
const long: Readonly<Record<string, number>> = { keyline: 1_000_000, "keyline-transactional": 300_000 };
const perKey = 20;

/** Whether the history of a key takes longer in a long stream: one key at a time, any of them, each with 20 entries all over the stream. */
export const streamHistory: Case = {
  name: "stream-history",
  title: "History of a key with 20 entries, 1,000,000 (transactional: 300,000) against 10,000",
  part: "Streams",
  contenders: ["keyline", "keyline-transactional"],
  figures: {
    ratio: { label: "long to short, p50", unit: "x", better: "lower" },
    long: { label: "long, p50", unit: "ms", better: "lower" },
    short: { label: "10,000, p50", unit: "ms", better: "lower" },
  },
  goals: [
    { figure: "ratio", atMost: 1.15 },
    { figure: "ratio", of: "keyline-transactional", atMost: 1.15 },
  ],
  run: async (contender, bench) => {
    const sizes = [bench.size(short, 200), bench.size(long[contender] ?? 0, 1_000)];
    if (contender === "keyline") return ask({ sizes }, bench);
    return bench.servers.withDatabase((postgres) => ask({ sizes, postgres }, bench));
  },
};

async function ask(on: { readonly sizes: readonly number[]; readonly postgres?: string }, bench: Bench): Promise<Measurement> {
  const valkey = await bench.servers.freshValkey();
  const queries = bench.size(3_000, 10);
  const task = bench.start("histories", { ...on, valkey, payloadBytes, perKey, queries, lead: bench.size(500, 2) });
  const { result, aftermath } = await runMetered(task, bench);
  expectRegular(aftermath);
  const [shortMs = [], longMs = []] = result.latenciesMs;
  expectExactly("histories", 2 * queries, shortMs.length + longMs.length);
  const [longP50, shortP50] = [percentile(longMs, 50), percentile(shortMs, 50)];
  return { figures: { ratio: longP50 / shortP50, long: longP50, short: shortP50 } };
}
