import { Emitter } from "../runtime/emitter.ts";
import { KeylineError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Verdict } from "../work/verdict.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { Job } from "./job.ts";

export interface WorkerEvents<Data> extends Record<string, readonly unknown[]> {
  /** The job ended well, and with it its effects. */
  readonly completed: readonly [job: Job<Data>];
  /** The attempt failed; the next one begins after so many milliseconds. */
  readonly retried: readonly [job: Job<Data>, error: Error, delayMs: number];
  /** The job is a dead letter. Undefined where it could not even be read. */
  readonly dead: readonly [job: Job<Data> | undefined, error: Error];
  /** Something went wrong outside the handler, such as a lost lease. */
  readonly error: readonly [error: Error];
  /** The queue is empty and nothing runs. */
  readonly idle: readonly [];
}

/** Tells a worker's listeners what became of its jobs. */
export class WorkerReport<Data> {
  readonly #queue: string;
  readonly #logger: Logger;
  readonly #events: Emitter<WorkerEvents<Data>>;

  constructor({ queue, logger }: { readonly queue: string; readonly logger: Logger }) {
    this.#queue = queue;
    this.#logger = logger;
    this.#events = new Emitter(logger);
  }

  on<Name extends keyof WorkerEvents<Data> & string>(name: Name, listener: (...values: WorkerEvents<Data>[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** The verdict on the job took effect. */
  ended(job: Job<Data> | undefined, verdict: Verdict): void {
    switch (verdict.kind) {
      case "settle":
        if (job) this.#events.emit("completed", job);
        return;
      case "drop":
        if (verdict.error) this.error(verdict.error);
        else if (job) this.#events.emit("completed", job);
        return;
      case "retry":
        if (job) this.#events.emit("retried", job, verdict.error ?? new Error("snoozed"), verdict.delayMs);
        return;
      case "bury":
        this.#logger.warn({ queue: this.#queue, id: job?.id, error: verdict.error.message }, "a job is a dead letter");
        this.#events.emit("dead", job, verdict.error);
    }
  }

  /** The job could not be ended: it was not held any more. */
  leaseLost(held: HeldJob<Data>): void {
    const id = held.job?.id ?? held.element?.id ?? "?";
    this.error(
      new KeylineError(
        "LEASE_LOST",
        `Job ${id} of queue ${this.#queue} is not this worker's any more: its lease ended while the worker did not answer, and the job was given to another one`,
      ),
    );
  }

  /** Errors without a listener are logged. */
  error(error: Error): void {
    if (this.#events.hasListeners("error")) this.#events.emit("error", error);
    else this.#logger.error({ queue: this.#queue, error: error.message }, "a worker reports an error");
  }

  idle(): void {
    this.#events.emit("idle");
  }
}
