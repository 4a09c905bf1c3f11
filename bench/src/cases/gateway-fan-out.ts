import type { Bench } from "../suite/bench.ts";
import type { Case } from "../suite/case.ts";
import { expectRegular } from "./delivery.ts";
import { startServer, type Served } from "./live.ts";
import { jobsFor, leadShare, payloadBytes, type JobsByContender } from "./plain.ts";

/** Messages that are on their way at once when a server is kept busy. */
const window = 10;

interface FannedOut {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

function fanOutTo(connections: number, goals: Case["goals"], messagesBy: JobsByContender): Case {
  return {
    name: `gateway-fan-out-${connections}`,
    title: `Fan-out to ${connections.toLocaleString("en-GB")} connections`,
    contenders: ["keyline", "keyline-history", "socket.io", "bare-sse"],
    part: "Channels and gateway",
    figures: {
      perCpuSecond: { label: "kept busy", unit: "messages per server CPU second", better: "higher" },
      spacedPerCpuSecond: { label: "one at a time", unit: "messages per server CPU second", better: "higher" },
      perSecond: { label: "kept busy", unit: "messages/s", better: "higher" },
    },
    goals,
    run: async (contender, bench) => {
      const served = await startServer(contender, bench, payloadBytes);
      const clients = bench.size(connections, 20);
      const messages = jobsFor(contender, messagesBy, bench, 50);
      const busy = await fanOut(served, { contender, clients, messages, window }, bench);
      const spaced = await fanOut(served, { contender, clients, messages: Math.round(messages / 3), window: 1 }, bench);
      await served.server.dismiss();
      return { figures: { perCpuSecond: busy.perCpuSecond, spacedPerCpuSecond: spaced.perCpuSecond, perSecond: busy.perSecond } };
    },
  };
}

async function fanOut(
  { server, url, options }: Served,
  run: { readonly contender: string; readonly clients: number; readonly messages: number; readonly window: number },
  bench: Bench,
): Promise<FannedOut> {
  const { contender, clients, messages } = run;
  const lead = Math.round(messages * leadShare);
  const load = bench.start("fanOut", { contender, url, options, connections: clients, messages, lead, window: run.window });
  await load.ready();
  const before = await server.read();
  const { result } = await load.run();
  const after = await server.read();
  expectRegular(await load.dismiss());
  const deliveries = (messages - lead) * clients;
  return {
    perSecond: (deliveries * 1_000) / result.elapsedMs,
    perCpuSecond: (deliveries * 1_000_000) / (after.cpuUs - before.cpuUs),
  };
}

const goals: Case["goals"] = [
  { figure: "perCpuSecond", against: ["socket.io"], atLeast: 4 },
  { figure: "perCpuSecond", of: "keyline-history", against: ["socket.io"], atLeast: 4 },
  { figure: "perCpuSecond", against: ["bare-sse"], atLeast: 1 },
];

export const gatewayFanOut1000 = fanOutTo(1_000, goals, { keyline: 1_200, "keyline-history": 1_200, "socket.io": 300, "bare-sse": 900 });
export const gatewayFanOut5000 = fanOutTo(5_000, goals, { keyline: 240, "keyline-history": 240, "socket.io": 60, "bare-sse": 180 });
