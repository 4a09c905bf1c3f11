import type { Bench } from "../suite/bench.ts";
import type { Case } from "../suite/case.ts";
import { expectRegular } from "./delivery.ts";
import { startServer, type Served } from "./live.ts";
import { payloadBytes } from "./plain.ts";

/** What a connection that waits takes in the server's process. Those before bring in code, pools and a heap that stay. */
export const gatewayMemory: Case = {
  name: "gateway-memory",
  title: "Memory per idle connection",
  contenders: ["keyline", "keyline-history", "socket.io", "bare-sse"],
  part: "Channels and gateway",
  figures: { perConnection: { label: "resident memory", unit: "KB", better: "lower" } },
  goals: [
    { figure: "perConnection", against: ["bare-sse"], atMost: 1.1 },
    { figure: "perConnection", of: "keyline-history", against: ["bare-sse"], atMost: 1.1 },
  ],
  run: async (contender, bench) => {
    const connections = bench.size(5_000, 20);
    const served = await startServer(contender, bench, payloadBytes);
    await withConnections(served, { contender, connections: bench.size(500, 5) }, bench);
    const before = await served.server.read({ collectsGarbage: true });
    const after = await withConnections(served, { contender, connections }, bench);
    await served.server.dismiss();
    return { figures: { perConnection: (after - before.residentBytes) / connections / 1_000 } };
  },
};

/** Returns the server's resident memory while they were there. */
async function withConnections(
  { server, url, options }: Served,
  { contender, connections }: { readonly contender: string; readonly connections: number },
  bench: Bench,
): Promise<number> {
  const clients = bench.start("holdConnections", { contender, url, options, connections });
  await clients.ready();
  const { residentBytes } = await server.read({ collectsGarbage: true });
  await clients.run();
  expectRegular(await clients.dismiss());
  return residentBytes;
}
