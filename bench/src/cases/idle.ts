import { Contender } from "../process/contender.ts";
import { CommandWatch } from "../servers/command-watch.ts";
import { StatementProxy } from "../servers/statement-proxy.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, Measurement } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";

/** What a plain and a transactional worker with all their duties ask of the servers while there is nothing to do. */
export const idle: Case = {
  name: "idle",
  title: "An idle worker of each kind, with its duties",
  contenders: ["keyline"],
  figures: {
    valkeyPerSecond: { label: "Valkey", unit: "commands/s", better: "lower" },
    postgresPerSecond: { label: "PostgreSQL", unit: "statements/s", better: "lower" },
  },
  goals: [
    { figure: "valkeyPerSecond", atMost: 1 },
    { figure: "postgresPerSecond", atMost: 1 },
  ],
  run: (_contender, bench) => bench.servers.withDatabase((postgres) => watchIdle(postgres, bench)),
};

async function watchIdle(postgres: string, bench: Bench): Promise<Measurement> {
  const valkey = await bench.servers.freshValkey();
  const proxy = await StatementProxy.start(postgres);
  const watch = await CommandWatch.start(valkey);
  const [settlingMs, forMs] = [bench.size(3_000, 50), bench.size(10_000, 300)];
  try {
    const worker = Contender.start("idle", { valkey, postgres: proxy.url, settlingMs, forMs });
    await worker.ready();
    watch.count();
    const statementsBefore = proxy.statements;
    const { result } = await worker.run();
    const statements = proxy.statements - statementsBefore;
    const commands = watch.stop();
    const { woken } = await worker.dismiss();
    expectExactly("jobs delivered after the wait", 2, woken);
    const perSecond = (count: number): number => (count * 1_000) / result.elapsedMs;
    const byName = Object.fromEntries([...commands].map(([name, count]) => [`valkey ${name}`, perSecond(count)]));
    const all = [...commands.values()].reduce((sum, count) => sum + count, 0);
    return { figures: { valkeyPerSecond: perSecond(all), postgresPerSecond: perSecond(statements), ...byName } };
  } finally {
    watch.stop();
    proxy.stop();
  }
}
