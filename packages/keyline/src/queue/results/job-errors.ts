import { KeylineError } from "../../runtime/errors.ts";

/** The job that was waited for is a dead letter. */
export class JobDeadError extends KeylineError {
  override readonly name = "JobDeadError";
  readonly id: string;
  readonly queue: string;
  /** Why it is dead: the code or name of its last error, and its message. */
  readonly reason: string;
  /** Attempts that were made. */
  readonly attempts: number;

  /** @internal */
  constructor(job: { readonly id: string; readonly queue: string; readonly reason: string; readonly attempts: number }) {
    super("JOB_DEAD", `Job ${job.id} of queue ${job.queue} is a dead letter after ${job.attempts} attempts: ${job.reason}`);
    this.id = job.id;
    this.queue = job.queue;
    this.reason = job.reason;
    this.attempts = job.attempts;
  }
}

/** The job was cancelled: it was waited for, or this attempt at it was under way. */
export class JobCancelledError extends KeylineError {
  override readonly name = "JobCancelledError";
  readonly id: string;
  readonly queue: string;

  /** @internal */
  constructor({ id, queue }: { readonly id: string; readonly queue: string }) {
    super("JOB_CANCELLED", `Job ${id} of queue ${queue} was cancelled`);
    this.id = id;
    this.queue = queue;
  }
}

export function isCancellation(error: Error | undefined): boolean {
  return error instanceof KeylineError && error.code === "JOB_CANCELLED";
}

/** Nothing is known of the job that was waited for. */
export function unknownJob(id: string, queue: string): KeylineError {
  return new KeylineError(
    "JOB_UNKNOWN",
    `Job ${id} is not on queue ${queue}, and nothing is remembered of it: add jobs that are waited for with keepResult, so that what became of them can be told afterwards`,
  );
}
