import type { Contender } from "../process/contender.ts";
import type { Bench } from "../suite/bench.ts";

/** A contender's server in a process of its own. */
export interface Served {
  readonly server: Contender<"serve">;
  readonly url: string;
  readonly options: LiveOptions;
}

/** The channel that it serves, and what is published on it. */
interface LiveOptions {
  readonly valkey: string;
  readonly name: string;
  readonly payloadBytes: number;
}

/** Starts a server on an empty Valkey. */
export async function startServer(contender: string, bench: Bench, payloadBytes: number): Promise<Served> {
  const valkey = await bench.servers.freshValkey();
  return startServerOn({ valkey, name: "news", payloadBytes }, contender, bench);
}

/** Starts a server of a channel that others may serve already. */
export async function startServerOn(options: LiveOptions, contender: string, bench: Bench): Promise<Served> {
  const server = bench.start("serve", { contender, options: { valkey: options.valkey, channel: options.name } });
  return { server, url: await server.address(), options };
}
