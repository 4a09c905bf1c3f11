import { costsPerJob, runMetered } from "../process/metered.ts";
import type { Bench } from "../suite/bench.ts";
import { throughput, type Case, type Measurement } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";
import { leadShare, payloadBytes } from "./plain.ts";

const isTransactional = (contender: string): boolean => contender.startsWith("keyline-transactional");
const isWithoutParent = (contender: string): boolean => contender.endsWith("-alone");

/** A parent with 100,000 children, added by one call; and beside it the same jobs without a parent. */
export const family: Case = {
  name: "family",
  title: "A parent with 100,000 children",
  contenders: ["keyline", "keyline-alone", "keyline-transactional", "keyline-transactional-alone", "bullmq"],
  figures: { throughput, ending: { label: "ending", unit: "µs/job", better: "lower" } },
  goals: [
    { figure: "throughput", against: ["bullmq"], atLeast: 5 },
    { figure: "ending", against: ["keyline-alone"], atMost: 3 },
    { figure: "throughput", of: "keyline-transactional", against: ["bullmq"], atLeast: 5 },
    { figure: "ending", of: "keyline-transactional", against: ["keyline-transactional-alone"], atMost: 3 },
  ],
  run: async (contender, bench) => {
    const valkey = await bench.servers.freshValkey();
    if (!isTransactional(contender)) return runFamily(contender, { valkey, postgres: undefined }, bench);
    return bench.servers.withDatabase((postgres) => runFamily(contender, { valkey, postgres }, bench));
  },
};

async function runFamily(
  contender: string,
  servers: { readonly valkey: string; readonly postgres: string | undefined },
  bench: Bench,
): Promise<Measurement> {
  const children = bench.size(100_000, 300);
  const lead = Math.round(children * leadShare);
  const options = { ...servers, name: "family", payloadBytes, isWithoutParent: isWithoutParent(contender) };
  const params = { contender: contender === "bullmq" ? contender : "keyline", options, children, lead };
  const ended = await runMetered(bench.start("family", params), bench);
  const { distinct, repeated, early, values, distinctValues } = ended.aftermath;
  expectExactly("distinct children delivered", lead + children, distinct);
  expectExactly("children delivered twice", 0, repeated);
  expectExactly("parents that ran before their children had ended", 0, early);
  if (!options.isWithoutParent) {
    expectExactly("results given to the parent", children, values);
    expectExactly("distinct results given to the parent", children, distinctValues);
  }
  const { addMs, endMs } = ended.result;
  return {
    figures: { throughput: (children * 1_000) / (addMs + endMs), ending: (endMs * 1_000) / children },
    costs: costsPerJob(ended, children),
  };
}
