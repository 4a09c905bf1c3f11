import { outcomeWith, withTimeout, type Outcome } from "../../work/outcome.ts";
import type { Finish, Runner } from "../../work/runner.ts";
import type { Watched } from "../../work/watched.ts";
import { BatchSettles, type BatchHandlerContext, type RunningJob } from "./batch-settle.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { Job } from "../job.ts";
import { noSettling, type SettleAccess } from "./job-settle.ts";

export type BatchHandler<Data> = (jobs: readonly Job<Data>[]) => unknown;
export type SettlingBatchHandler<Data> = (jobs: readonly Job<Data>[], context: BatchHandlerContext<Data>) => unknown;

export interface BatchRunnerSetup<Data> {
  readonly handler: SettlingBatchHandler<Data>;
  readonly size: number;
  readonly concurrency: number;
  readonly timeoutMs: number | undefined;
  readonly watched: Watched<HeldJob<Data>, Job<Data>>;
  readonly access: SettleAccess | undefined;
}

/** Calls the handler with up to `size` jobs at a time. */
export class BatchRunner<Data> implements Runner<HeldJob<Data>, Job<Data>> {
  readonly #setup: BatchRunnerSetup<Data>;
  #waiting: RunningJob<Data>[] = [];
  #batches = 0;
  #finish: Finish<HeldJob<Data>> | undefined;

  constructor(setup: BatchRunnerSetup<Data>) {
    this.#setup = setup;
  }

  // A place in a batch that has begun is not free before that batch ends.
  room(occupied: number): number {
    const { concurrency, size } = this.#setup;
    const free = (concurrency - this.#batches) * size - this.#waiting.length;
    return Math.min(free, concurrency * size - occupied);
  }

  run(held: HeldJob<Data>, job: Job<Data>, finish: Finish<HeldJob<Data>>): void {
    this.#finish = finish;
    this.#waiting.push({ held, job });
    if (this.#waiting.length >= this.#setup.size) this.flush();
  }

  flush(): void {
    const { concurrency, size } = this.#setup;
    while (this.#waiting.length > 0 && this.#batches < concurrency && this.#finish) {
      this.#begin(this.#waiting.splice(0, size), this.#finish);
    }
  }

  #begin(batch: readonly RunningJob<Data>[], finish: Finish<HeldJob<Data>>): void {
    const { watched } = this.#setup;
    const { probe } = watched.seam;
    this.#batches++;
    if (!probe) return void this.#runBatch(batch, (_, end) => end(finish));
    const begun = batch.map(({ held, job }) => [held, job] as const);
    probe.process(
      watched.describe(begun, true),
      (ended) => void this.#runBatch(batch, (outcome, end) => ended(watched.errorOf(outcome), () => end(finish))),
    );
  }

  async #runBatch(
    batch: readonly RunningJob<Data>[],
    ended: (outcome: Outcome, end: (finish: Finish<HeldJob<Data>>) => void) => void,
  ): Promise<void> {
    const { handler, access, timeoutMs } = this.#setup;
    const jobs = batch.map(({ job }) => job);
    const settles = access && new BatchSettles(batch, access);
    const abort = (reason: Error): void => jobs.forEach((job) => job.abort(reason));
    const outcome = await withTimeout(() => handler(jobs, settles ?? noSettling), abort, timeoutMs);
    const outcomes = await settles?.outcomes();
    ended(outcome, (finish) => {
      this.#batches--;
      for (const { held, job } of batch) finish(held, outcomeWith(outcomes?.get(job), outcomeOfOne(job, outcome)));
    });
  }
}

/** A batch's handler may return a Map of what each job's result is. */
function outcomeOfOne(job: Job<unknown>, outcome: Outcome): Outcome {
  if (outcome.kind !== "completed" || outcome.value === undefined) return outcome;
  return { kind: "completed", value: outcome.value instanceof Map ? outcome.value.get(job) : undefined };
}
