import { setTimeout as pause } from "node:timers/promises";
import { Contender } from "../process/contender.ts";
import { ProcessPool } from "../process/process-pool.ts";
import { watch } from "../process/watchdog.ts";
import type { Servers } from "../servers/servers.ts";
import type { ParamsOf, TaskName } from "../tasks/index.ts";

const patience = { ms: 30_000, olderMs: 180_000, untilGivenUpMs: 10_000 };

export interface BenchOptions {
  readonly isQuick: boolean;
  /** What a contender's process runs, where that is not the one of this code. It may say nothing of how far it is. */
  readonly entry?: string;
  /** How long a contender may come no further. */
  readonly patienceMs?: number;
}

/** What a case gets to work with. */
export class Bench {
  readonly servers: Servers;
  readonly #isQuick: boolean;
  readonly #processes: ProcessPool;
  readonly #patienceMs: number;

  constructor(servers: Servers, { isQuick, entry, patienceMs }: BenchOptions) {
    this.servers = servers;
    this.#isQuick = isQuick;
    this.#patienceMs = patienceMs ?? (entry === undefined ? patience.ms : patience.olderMs);
    this.#processes = new ProcessPool({ reuses: isQuick, entry });
  }

  /** The size of a full run, or the tiny one that only proves that the case works. */
  size(full: number, quick: number): number {
    return this.#isQuick ? quick : full;
  }

  start<Name extends TaskName>(task: Name, params: ParamsOf<Name>): Contender<Name> {
    return Contender.start(this.#processes, task, params);
  }

  /** Runs one contender. When it fails, or comes no further (NoProgress), all of its processes are killed, so that the next one is alone. */
  async watch<Result>(run: () => Promise<Result>): Promise<Result> {
    let running: Promise<unknown> = Promise.resolve();
    try {
      return await watch(this.#processes, this.#patienceMs, () => {
        const started = run();
        running = started.catch(() => undefined);
        return started;
      });
    } catch (error) {
      await this.#processes.abandon();
      // Without its processes it ends, and drops its database and stops its servers, unless the bench itself is what waits.
      await Promise.race([running, pause(patience.untilGivenUpMs, undefined, { ref: false })]);
      throw error;
    }
  }

  /** Ends its processes; the servers are whoever's who started them. */
  stop(): Promise<void> {
    return this.#processes.stop();
  }
}
