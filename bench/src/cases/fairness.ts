import type { Case } from "../suite/case.ts";
import { Ledger } from "../tasks/ledger.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes, preload } from "./plain.ts";

const processes = 2;
const slowMs = 1_000;

/** One slow job among quick ones, and two workers: when the last of those behind it begins, after the slow one did. */
export const fairness: Case = {
  name: "fairness",
  title: "One slow job before 1,000 quick ones, two workers",
  contenders: ["keyline", "bullmq"],
  figures: { longest: { label: "longest wait", unit: "ms", better: "lower" } },
  goals: [{ figure: "longest", atMost: 100 }],
  run: async (contender, bench) => {
    const options = { valkey: await bench.servers.freshValkey(), name: "fairness", payloadBytes };
    // Those before it let both workers know that handlers are quick.
    const slow = { seq: bench.size(5_000, 50), ms: slowMs };
    const run = { contender, options, jobs: slow.seq + 1 + bench.size(1_000, 20) };
    await preload(run, bench);
    const contenders = Array.from({ length: processes }, () => bench.start("beginTimes", { ...run, slow }));
    await Promise.all(contenders.map((one) => one.ready()));
    await Promise.all(contenders.map((one) => one.run()));
    const ledger = new Ledger(0, run.jobs);
    const begunAt = new Map<number, number>();
    for (const { begun, unfinished } of await Promise.all(contenders.map((one) => one.dismiss()))) {
      for (const [seq, atMs] of begun) {
        ledger.record(seq);
        begunAt.set(seq, atMs);
      }
      expectExactly("jobs left behind", 0, unfinished);
    }
    expectExactly("distinct jobs delivered", run.jobs, ledger.distinct);
    expectExactly("jobs delivered twice", 0, ledger.repeated);
    const slowAt = begunAt.get(slow.seq) ?? Number.NaN;
    return { figures: { longest: Math.max(...[...begunAt].filter(([seq]) => seq > slow.seq).map(([, atMs]) => atMs - slowAt)) } };
  },
};
