import type { Transaction } from "../postgres/client/options.ts";
import { KeylineError } from "../runtime/errors.ts";
import { outcomeOf, type Outcome } from "../work/outcome.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { Job } from "./job.ts";
import type { JobRecord } from "./job-record.ts";

/** A job that is being run. */
export interface RunningJob<Data> {
  readonly held: HeldJob<Data>;
  readonly job: Job<Data>;
}

/**
 * Commits the end of the job together with what `effects` writes, in one short transaction. Resolves to true when this call did it,
 * to false when the job was settled before: then `effects` was not called, or what it wrote was rolled back. Throws what
 * `effects` throws, and LEASE_LOST when the job was given to somebody else.
 *
 * `effects` may be called again after a conflict or a lost connection, so it should only write through `tx`. Settles of the same
 * moment may share a transaction, one after the other: what is set with SET LOCAL there can be seen by the next.
 */
export type Settle = (effects: (tx: Transaction) => Promise<void>) => Promise<boolean>;

export interface HandlerContext {
  readonly settle: Settle;
}

/** What an attempt needs of its worker to settle. */
export interface SettleAccess {
  readonly record: JobRecord;
  /** False when the worker's lease is known to be lost; asks Valkey where that is in doubt. */
  isStillOwner(job: HeldJob<unknown>): Promise<boolean>;
}

/** Why each of the jobs that this worker must not settle any more is not its own; all of them are under one lease. */
export async function findLost<Data>(access: SettleAccess, jobs: readonly RunningJob<Data>[]): Promise<Map<Job<Data>, Error>> {
  const lost = new Map<Job<Data>, Error>();
  const [first] = jobs;
  if (first && !first.job.abortReason) await access.isStillOwner(first.held);
  for (const { held, job } of jobs) {
    if (job.abortReason) lost.set(job, job.abortReason);
    else if (held.phase !== "running") lost.set(job, leaseLost(job));
  }
  return lost;
}

function leaseLost({ id, queue }: Job<unknown>): KeylineError {
  const why = "the worker did not answer for longer than its lease, and the job was given to another one";
  return new KeylineError("LEASE_LOST", `Job ${id} of queue ${queue} was not settled: ${why}`);
}

/** The outcome for a job whose row was not there to be deleted. */
export function settledElsewhere({ id, queue }: Pick<Job<unknown>, "id" | "queue">): Outcome & { readonly kind: "lost" } {
  const message = `Job ${id} of queue ${queue} was settled by somebody else: this attempt's effects were left out`;
  return { kind: "lost", error: new KeylineError("LEASE_LOST", message) };
}

/** The settle of one attempt, and what it came to. */
export class SettleOnce {
  readonly #running: RunningJob<unknown>;
  readonly #access: SettleAccess;
  #result: Promise<boolean> | undefined;

  constructor(running: RunningJob<unknown>, access: SettleAccess) {
    this.#running = running;
    this.#access = access;
  }

  readonly settle: Settle = (effects) => {
    if (this.#result) {
      return Promise.reject(
        new KeylineError("ALREADY_SETTLED", `settle was called twice for job ${this.#running.job.id}: put all effects into one call`),
      );
    }
    this.#result = this.#settle(effects);
    // Its end counts also for a handler that does not wait for it.
    this.#result.catch(() => undefined);
    return this.#result;
  };

  /** The outcome where settle was called; undefined where it was not. Waits for a settle that is under way. */
  async outcome(): Promise<Outcome | undefined> {
    if (!this.#result) return undefined;
    try {
      return (await this.#result) ? { kind: "settled" } : settledElsewhere(this.#running.job);
    } catch (error) {
      if (error instanceof KeylineError && error.code === "LEASE_LOST") return { kind: "lost", error };
      return outcomeOf(error);
    }
  }

  async #settle(effects: (tx: Transaction) => Promise<void>): Promise<boolean> {
    const reason = (await findLost(this.#access, [this.#running])).get(this.#running.job);
    if (reason) throw reason;
    const { element } = this.#running.held;
    if (!element) return false;
    const settled = await this.#access.record.settle({ jobs: [element], effects, signal: this.#running.job.signal });
    return settled.has(element.id);
  }
}
