import type { AftermathOf, ParamsOf, ResultOf, TaskName } from "../tasks/index.ts";
import type { Child } from "./child.ts";
import type { ProcessPool } from "./process-pool.ts";
import type { ProcessReading } from "./stage.ts";

export interface Outcome<Result> {
  readonly result: Result;
  readonly clientCpuUs: number;
}

/** One task of a contender in a process of its own: started, made ready, run, dismissed. */
export class Contender<Name extends TaskName> {
  readonly #pool: ProcessPool;
  readonly #child: Child;
  #ready: Promise<void> | undefined;

  private constructor(pool: ProcessPool, child: Child) {
    this.#pool = pool;
    this.#child = child;
  }

  static start<Name extends TaskName>(pool: ProcessPool, task: Name, params: ParamsOf<Name>): Contender<Name> {
    const child = pool.take();
    child.order({ order: "perform", task, params });
    return new Contender<Name>(pool, child);
  }

  /** Resolves when connections are open, code is warm and the measured part can start at once. */
  ready(): Promise<void> {
    this.#ready ??= this.#child.next("ready").then(() => undefined);
    return this.#ready;
  }

  run(): Promise<Outcome<ResultOf<Name>>> {
    this.#child.order({ order: "go" });
    const outcome = this.#child.next("done").then(({ result, clientCpuUs }) => ({ result: result as ResultOf<Name>, clientCpuUs }));
    // A case may look at this after something else: a failure that comes first must not end the bench.
    outcome.catch(() => undefined);
    return outcome;
  }

  /** For a server, instead of `ready` and `run`: resolves with its address once it listens. */
  async address(): Promise<string> {
    const { url } = await this.#child.next("serving");
    return url;
  }

  /** For a server: what its process takes now. */
  async read({ collectsGarbage = false } = {}): Promise<ProcessReading> {
    this.#child.order({ order: "read", collectsGarbage });
    const { reading } = await this.#child.next("reading");
    return reading;
  }

  /** Lets the task tear down; resolves with what it found out after the measured part. */
  async dismiss(): Promise<AftermathOf<Name>> {
    this.#child.order({ order: "dismiss" });
    const { aftermath } = await this.#child.next("closed");
    await this.#pool.giveBack(this.#child);
    return aftermath;
  }
}
