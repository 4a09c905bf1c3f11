import type { Contender } from "../process/contender.ts";
import { CommandWatch } from "../servers/command-watch.ts";
import { StatementProxy } from "../servers/statement-proxy.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case, Measurement } from "../suite/case.ts";
import { expectExactly } from "./delivery.ts";

type IdleTask = "idle" | "idleStream";

const shared = {
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
} as const;

/** What a worker with all its duties asks of the servers while there is nothing to do. */
export const idle: Case = {
  ...shared,
  name: "idle",
  title: "An idle worker with its duties",
  run: (contender, bench) => runIdle("idle", contender, bench),
};

/** The same for a follower and a consumer of one stream in one process. */
export const streamIdle: Case = {
  ...shared,
  name: "stream-idle",
  title: "An idle follower and an idle consumer",
  part: "Streams",
  run: (contender, bench) => runIdle("idleStream", contender, bench),
};

function runIdle(task: IdleTask, contender: string, bench: Bench): Promise<Measurement> {
  if (contender === "keyline") return watchPlain(task, bench);
  return bench.servers.withDatabase((postgres) => watchTransactional(task, postgres, bench));
}

/** Some duties come every five or ten seconds: with so long a look one more or less of them hardly shows. */
function times(bench: Bench): { readonly settlingMs: number; readonly forMs: number } {
  return { settlingMs: bench.size(3_000, 50), forMs: bench.size(30_000, 300) };
}

async function watchPlain(task: IdleTask, bench: Bench): Promise<Measurement> {
  const valkey = await bench.servers.freshValkey();
  return watch(bench.start(task, { valkey, ...times(bench) }), valkey, () => 0);
}

async function watchTransactional(task: IdleTask, postgres: string, bench: Bench): Promise<Measurement> {
  const valkey = await bench.servers.freshValkey();
  const proxy = await StatementProxy.start(postgres);
  try {
    const worker = bench.start(task, { valkey, postgres: proxy.url, ...times(bench) });
    return await watch(worker, valkey, () => proxy.statements);
  } finally {
    proxy.stop();
  }
}

async function watch(worker: Contender<IdleTask>, valkey: string, statements: () => number): Promise<Measurement> {
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
    expectExactly("jobs or entries delivered after the wait", 1, woken);
    const byName = Object.fromEntries(counts.map(([name, count]) => [`valkey ${name}`, perSecond(count)]));
    const valkeyPerSecond = perSecond(counts.reduce((sum, [, count]) => sum + count, 0));
    return { figures: { valkeyPerSecond, postgresPerSecond, ...byName } };
  } finally {
    commands.stop();
  }
}
