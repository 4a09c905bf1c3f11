import type { Contender } from "../process/contender.ts";
import { CommandWatch } from "../servers/command-watch.ts";
import { StatementProxy } from "../servers/statement-proxy.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, Measurement } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";

/** What a worker with all its duties asks of the servers while there is nothing to do. */
export const idle: Case = {
  name: "idle",
  title: "An idle worker with its duties",
  contenders: ["keyline", "keyline-transactional"],
  figures: {
    valkeyPerSecond: { label: "Valkey", unit: "commands/s", better: "lower" },
    postgresPerSecond: { label: "PostgreSQL", unit: "statements/s", better: "lower" },
  },
  goals: [
    { figure: "valkeyPerSecond", atMost: 1 },
    { figure: "valkeyPerSecond", of: "keyline-transactional", atMost: 1 },
    { figure: "postgresPerSecond", of: "keyline-transactional", atMost: 1 },
  ],
  run: (contender, bench) => {
    if (contender === "keyline") return watchPlain(bench);
    return bench.servers.withDatabase((postgres) => watchTransactional(postgres, bench));
  },
};

function times(bench: Bench): { readonly settlingMs: number; readonly forMs: number } {
  return { settlingMs: bench.size(3_000, 50), forMs: bench.size(10_000, 300) };
}

async function watchPlain(bench: Bench): Promise<Measurement> {
  const valkey = await bench.servers.freshValkey();
  return watch(bench.start("idle", { valkey, ...times(bench) }), valkey, () => 0);
}

async function watchTransactional(postgres: string, bench: Bench): Promise<Measurement> {
  const valkey = await bench.servers.freshValkey();
  const proxy = await StatementProxy.start(postgres);
  try {
    const worker = bench.start("idle", { valkey, postgres: proxy.url, ...times(bench) });
    return await watch(worker, valkey, () => proxy.statements);
  } finally {
    proxy.stop();
  }
}

async function watch(worker: Contender<"idle">, valkey: string, statements: () => number): Promise<Measurement> {
  const commands = await CommandWatch.start(valkey);
  try {
    await worker.ready();
    commands.count();
    const statementsBefore = statements();
    const { result } = await worker.run();
    const perSecond = (count: number): number => (count * 1_000) / result.elapsedMs;
    const postgresPerSecond = perSecond(statements() - statementsBefore);
    const counts = [...commands.stop()];
    const { woken } = await worker.dismiss();
    expectExactly("jobs delivered after the wait", 1, woken);
    const byName = Object.fromEntries(counts.map(([name, count]) => [`valkey ${name}`, perSecond(count)]));
    const valkeyPerSecond = perSecond(counts.reduce((sum, [, count]) => sum + count, 0));
    return { figures: { valkeyPerSecond, postgresPerSecond, ...byName } };
  } finally {
    commands.stop();
  }
}
