import { CommandWatch } from "../servers/command-watch.ts";
import type { Bench } from "../suite/bench.ts";
import type { Case } from "../suite/case.ts";
import { expectRegular } from "./delivery.ts";
import { startServer, startServerOn } from "./live.ts";
import { payloadBytes } from "./plain.ts";

interface Storm {
  readonly elapsedMs: number;
  /** Commands that the gateway sent to Valkey: all but those of the publisher, and the heartbeats that time brings, not clients. */
  readonly commands: number;
  /** All of them, by name. */
  readonly byName: ReadonlyMap<string, number>;
}

/**
 * All clients are cut at once and come back with their cursors: to the same gateway, or to one that has not heard of the channel yet, which no bare event
 * stream can do.
 */
export const resumeStorm: Case = {
  name: "resume-storm",
  title: "All clients back at once with their cursors",
  contenders: ["keyline", "keyline-new-gateway", "bare-sse-history"],
  part: "Channels and gateway",
  figures: {
    elapsed10000: { label: "10,000 up to date", unit: "ms", better: "lower" },
    elapsed200: { label: "200 up to date", unit: "ms", better: "lower" },
    commands10000: { label: "Valkey, 10,000", unit: "commands", better: "lower" },
    commands200: { label: "Valkey, 200", unit: "commands", better: "lower" },
    moreCommands: { label: "Valkey, 10,000 beyond 200", unit: "commands", better: "lower" },
  },
  goals: [
    { figure: "elapsed10000", against: ["bare-sse-history"], atMost: 1.3 },
    { figure: "moreCommands", atMost: 10 },
    { figure: "moreCommands", of: "keyline-new-gateway", atMost: 10 },
  ],
  run: async (contender, bench) => {
    const way = ways[contender] ?? { server: contender, isToNewServer: false };
    const small = await storm(bench.size(200, 5), way, bench);
    const large = await storm(bench.size(10_000, 20), way, bench);
    return {
      figures: {
        elapsed10000: large.elapsedMs,
        elapsed200: small.elapsedMs,
        commands10000: large.commands,
        commands200: small.commands,
        moreCommands: large.commands - small.commands,
        ...Object.fromEntries([...large.byName].map(([name, count]) => [`valkey ${name}, 10,000`, count])),
      },
    };
  },
};

interface Way {
  readonly server: string;
  readonly isToNewServer: boolean;
}

const ways: Readonly<Record<string, Way>> = {
  keyline: { server: "keyline-history", isToNewServer: false },
  "keyline-new-gateway": { server: "keyline-history", isToNewServer: true },
};

async function storm(connections: number, { server: contender, isToNewServer }: Way, bench: Bench): Promise<Storm> {
  const first = await startServer(contender, bench, payloadBytes);
  const second = isToNewServer ? await startServerOn(first.options, contender, bench) : first;
  const commands = await CommandWatch.start(first.options.valkey);
  try {
    const urls = [first.url, second.url] as const;
    const clients = bench.start("resumeStorm", { contender, options: first.options, urls, connections, awayMs: bench.size(500, 50) });
    await clients.ready();
    commands.count();
    const { result } = await clients.run();
    const byName = commands.stop();
    const sent = [...byName.values()].reduce((sum, count) => sum + count, 0);
    expectRegular(await clients.dismiss());
    for (const { server } of new Set([first, second])) await server.dismiss();
    const heartbeats = byName.get("ping") ?? 0;
    return { elapsedMs: result.elapsedMs, commands: sent - result.published - heartbeats, byName };
  } finally {
    commands.stop();
  }
}
