import { Contender } from "../process/contender.ts";
import { ProcessPool } from "../process/process-pool.ts";
import type { Servers } from "../servers/servers.ts";
import type { ParamsOf, TaskName } from "../tasks/index.ts";

/** What a case gets to work with. */
export class Bench {
  readonly servers: Servers;
  readonly #isQuick: boolean;
  readonly #processes: ProcessPool;

  constructor(servers: Servers, { isQuick, entry }: { readonly isQuick: boolean; readonly entry?: string }) {
    this.servers = servers;
    this.#isQuick = isQuick;
    this.#processes = new ProcessPool({ reuses: isQuick, entry });
  }

  /** The size of a full run, or the tiny one that only proves that the case works. */
  size(full: number, quick: number): number {
    return this.#isQuick ? quick : full;
  }

  start<Name extends TaskName>(task: Name, params: ParamsOf<Name>): Contender<Name> {
    return Contender.start(this.#processes, task, params);
  }

  /** Ends its processes; the servers are whoever's who started them. */
  stop(): Promise<void> {
    return this.#processes.stop();
  }
}
