import { KeylineError } from "../runtime/errors.ts";
import { isThenable, outcomeOf, withTimeout, type Outcome } from "../work/outcome.ts";
import { SettleOnce, type HandlerContext, type RunningJob, type SettleAccess } from "./attempt.ts";
import { BatchSettles, type BatchHandlerContext } from "./batch-settle.ts";
import type { Job } from "./job.ts";

export type Finish<Data> = (running: RunningJob<Data>, outcome: Outcome) => void;

/** Calls the handler and says how each attempt ended. */
export interface Runner<Data> {
  run(running: RunningJob<Data>, finish: Finish<Data>): void;
  /** How many more jobs it can begin with, when `occupied` are taken and have not ended. */
  room(occupied: number): number;
  /** No more jobs are on their way: begin with what is there. */
  flush(): void;
}

export type Handler<Data> = (job: Job<Data>) => unknown;
export type SettlingHandler<Data> = (job: Job<Data>, context: HandlerContext) => unknown;
export type BatchHandler<Data> = (jobs: readonly Job<Data>[]) => unknown;
export type SettlingBatchHandler<Data> = (jobs: readonly Job<Data>[], context: BatchHandlerContext<Data>) => unknown;

function refuseSettle(): Promise<never> {
  const message = "This queue is not transactional: make it with { transactional: true } to settle effects with its jobs";
  return Promise.reject(new KeylineError("NOT_TRANSACTIONAL", message));
}

const noSettle: { readonly settle: () => Promise<never> } = { settle: refuseSettle };

/** One job a call. */
export class SingleRunner<Data> implements Runner<Data> {
  readonly #handler: SettlingHandler<Data>;
  readonly #concurrency: number;
  readonly #timeoutMs: number | undefined;
  readonly #access: SettleAccess | undefined;

  constructor(
    handler: SettlingHandler<Data>,
    {
      concurrency,
      timeoutMs,
      access,
    }: { readonly concurrency: number; readonly timeoutMs: number | undefined; readonly access: SettleAccess | undefined },
  ) {
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#timeoutMs = timeoutMs;
    this.#access = access;
  }

  run(running: RunningJob<Data>, finish: Finish<Data>): void {
    if (this.#access) void this.#runSettling(running, this.#access, finish);
    else if (this.#timeoutMs !== undefined) void this.#runTimed(running, finish);
    else this.#runPlain(running, finish);
  }

  room(occupied: number): number {
    return this.#concurrency - occupied;
  }

  flush(): void {
    // Nothing waits here.
  }

  // The hot path: no timer, and no promise but the handler's own.
  #runPlain(running: RunningJob<Data>, finish: Finish<Data>): void {
    let result: unknown;
    try {
      result = this.#handler(running.job, noSettle);
    } catch (error) {
      return finish(running, outcomeOf(error));
    }
    if (isThenable(result)) {
      // Of a promise that is none of the language's anything may be expected, also that its `then` throws.
      (result instanceof Promise ? result : Promise.resolve(result)).then(
        () => finish(running, completed),
        (error: unknown) => finish(running, outcomeOf(error)),
      );
    } else {
      finish(running, completed);
    }
  }

  async #runTimed(running: RunningJob<Data>, finish: Finish<Data>): Promise<void> {
    finish(
      running,
      await withTimeout(
        () => this.#handler(running.job, noSettle),
        (reason) => running.job.abort(reason),
        this.#timeoutMs,
      ),
    );
  }

  async #runSettling(running: RunningJob<Data>, access: SettleAccess, finish: Finish<Data>): Promise<void> {
    const once = new SettleOnce(running, access);
    const outcome = await withTimeout(
      () => this.#handler(running.job, once),
      (reason) => running.job.abort(reason),
      this.#timeoutMs,
    );
    // What the settle came to counts, also for a handler that caught its error or threw after it.
    finish(running, (await once.outcome()) ?? outcome);
  }
}

const completed: Outcome = { kind: "completed" };

/** Up to `size` jobs a call. */
export class BatchRunner<Data> implements Runner<Data> {
  readonly #handler: SettlingBatchHandler<Data>;
  readonly #size: number;
  readonly #concurrency: number;
  readonly #timeoutMs: number | undefined;
  readonly #access: SettleAccess | undefined;
  #waiting: RunningJob<Data>[] = [];
  #batches = 0;
  #finish: Finish<Data> | undefined;

  constructor(
    handler: SettlingBatchHandler<Data>,
    options: {
      readonly size: number;
      readonly concurrency: number;
      readonly timeoutMs: number | undefined;
      readonly access: SettleAccess | undefined;
    },
  ) {
    this.#handler = handler;
    this.#size = options.size;
    this.#concurrency = options.concurrency;
    this.#timeoutMs = options.timeoutMs;
    this.#access = options.access;
  }

  // A place in a batch that has begun is not free before that batch ends.
  room(occupied: number): number {
    const free = (this.#concurrency - this.#batches) * this.#size - this.#waiting.length;
    return Math.min(free, this.#concurrency * this.#size - occupied);
  }

  run(running: RunningJob<Data>, finish: Finish<Data>): void {
    this.#finish = finish;
    this.#waiting.push(running);
    if (this.#waiting.length >= this.#size) this.flush();
  }

  flush(): void {
    while (this.#waiting.length > 0 && this.#batches < this.#concurrency && this.#finish) {
      void this.#runBatch(this.#waiting.splice(0, this.#size), this.#finish);
    }
  }

  async #runBatch(batch: readonly RunningJob<Data>[], finish: Finish<Data>): Promise<void> {
    this.#batches++;
    const jobs = batch.map((running) => running.job);
    const settles = this.#access && new BatchSettles(batch, this.#access);
    const abort = (reason: Error): void => jobs.forEach((job) => job.abort(reason));
    const outcome = await withTimeout(() => this.#handler(jobs, settles ?? noSettle), abort, this.#timeoutMs);
    const outcomes = await settles?.outcomes();
    this.#batches--;
    for (const running of batch) finish(running, outcomes?.get(running.job) ?? outcome);
  }
}
