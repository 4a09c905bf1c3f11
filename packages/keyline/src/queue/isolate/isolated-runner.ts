import { existsSync } from "node:fs";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { Finish, Runner, RunnerEvents } from "../../work/runner.ts";
import { SingleRunner } from "../../work/single-runner.ts";
import type { Watched } from "../../work/watched.ts";
import type { Job } from "../job.ts";
import type { HeldJob } from "../worker/held-jobs.ts";
import { JobContext, noSettling, type HandlerContext, type SettleAccess } from "../worker/job-settle.ts";
import { invalid } from "./isolate.ts";
import { IsolatePool } from "./pool.ts";
import type { IsolateKind } from "./vessel.ts";

export interface IsolatedRunnerSetup {
  readonly handler: URL;
  readonly isolate: IsolateKind;
  readonly concurrency: number;
  readonly timeoutMs: number | undefined;
}

interface Watching<Data> {
  readonly watched: Watched<HeldJob<Data>, Job<Data>>;
}

/** Runs each attempt in a thread or a process. Nothing is taken before the handler was loaded once. */
export class IsolatedRunner<Data> implements Runner<HeldJob<Data>, Job<Data>> {
  readonly #pool: IsolatePool;
  readonly #runner: SingleRunner<HeldJob<Data>, Job<Data>, HandlerContext>;
  #isOpen = false;

  constructor(
    { handler, isolate, concurrency, timeoutMs, watched }: IsolatedRunnerSetup & Watching<Data>,
    access: SettleAccess | undefined,
  ) {
    this.#pool = new IsolatePool(isolate, handler);
    this.#runner = new SingleRunner({
      handler: this.#pool.run,
      concurrency,
      timeoutMs,
      watched,
      noSettling,
      createSettling: access && ((held, job) => new JobContext(held, job, access)),
    });
  }

  watch({ room, fault }: RunnerEvents): void {
    this.#pool.open().then(
      () => {
        this.#isOpen = true;
        room();
      },
      (error: unknown) => fault(toError(error)),
    );
  }

  run(held: HeldJob<Data>, job: Job<Data>, finish: Finish<HeldJob<Data>>): void {
    this.#runner.run(held, job, finish);
  }

  room(occupied: number): number {
    return this.#isOpen ? this.#runner.room(occupied) : 0;
  }

  flush(): void {
    this.#runner.flush();
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** Throws INVALID_OPTION and INVALID_HANDLER. */
export function checkIsolate(handler: unknown, isolate: unknown): Pick<IsolatedRunnerSetup, "handler" | "isolate"> {
  if (isolate !== "thread" && isolate !== "process") {
    const message = `isolate must be "thread" or "process" for a handler that is a file, not ${JSON.stringify(isolate)}`;
    throw new KeylineError("INVALID_OPTION", message);
  }
  if (!(handler instanceof URL) || handler.protocol !== "file:") {
    throw new KeylineError("INVALID_OPTION", 'isolate takes the file of a handler: new URL("./handler.ts", import.meta.url)');
  }
  if (!existsSync(handler)) throw invalid(handler, "it does not exist");
  return { handler, isolate };
}
