import { costsPerJob, runMetered } from "../process/metered.ts";
import { throughput, type Case } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";
import { payloadBytes } from "./plain.ts";

/** An order and its job in one transaction: no goal, nobody else does it on a Valkey. */
export const addTransactional: Case = {
  name: "add-transactional",
  title: "Add inside the caller's transaction, with a row of its own",
  contenders: ["keyline"],
  figures: {
    single: { ...throughput, label: "one order per transaction, 20 at a time" },
    batched: { ...throughput, label: "100 orders per transaction" },
  },
  goals: [],
  run: (_contender, bench) =>
    bench.servers.withDatabase(async (postgres) => {
      const valkey = await bench.servers.freshValkey();
      const [single, batched] = [bench.size(6_000, 40), bench.size(100_000, 200)];
      const worker = bench.start("addTransactional", { valkey, postgres, payloadBytes, single, batched, batch: 100 });
      const added = await runMetered(worker, bench);
      const jobs = single + batched;
      expectExactly("orders", jobs, added.aftermath.orders);
      expectExactly("distinct orders", jobs, added.aftermath.distinctOrders);
      expectExactly("distinct jobs delivered", jobs, added.aftermath.delivered);
      expectExactly("jobs delivered twice", 0, added.aftermath.repeated);
      return {
        figures: {
          single: (single * 1_000) / added.result.singleMs,
          batched: (batched * 1_000) / added.result.batchedMs,
        },
        costs: costsPerJob(added, jobs),
      };
    }),
};
