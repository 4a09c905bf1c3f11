import type { Transaction } from "../postgres/options.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import { checkOwner, type RunningJob, type SettleAccess } from "./attempt.ts";
import type { Job } from "./job.ts";
import { outcomeOf, type Outcome } from "./outcome.ts";

/** What a batch's settle came to. */
export interface BatchSettlement<Data> {
  /** Their effects and their end were committed by this call. */
  readonly settled: readonly Job<Data>[];
  /** Settled before, or given to somebody else: no effects of theirs were committed by this call. */
  readonly skipped: readonly Job<Data>[];
  /** Their effects failed: nothing of them was committed, and they are tried again. */
  readonly failed: readonly { readonly job: Job<Data>; readonly error: Error }[];
}

/**
 * Commits the end of `jobs` together with what `effects` writes, in one short transaction. `owed` are those of them that were not
 * settled before: write effects for these and no others.
 *
 * When `effects` throws, the batch is halved and tried again until the jobs that make it throw are alone: their neighbours are
 * settled, they are retried. So `effects` may be called several times, each in a transaction of its own, and should only
 * write through `tx`.
 */
export type BatchSettle<Data> = (
  jobs: readonly Job<Data>[],
  effects: (tx: Transaction, owed: readonly Job<Data>[]) => Promise<void>,
) => Promise<BatchSettlement<Data>>;

export interface BatchHandlerContext<Data> {
  readonly settle: BatchSettle<Data>;
}

/** The settles of one batch, and what they came to for each job. */
export class BatchSettles<Data> {
  readonly #running: ReadonlyMap<Job<Data>, RunningJob<Data>>;
  readonly #access: SettleAccess;
  readonly #outcomes = new Map<Job<Data>, Outcome>();
  readonly #claimed = new Set<Job<Data>>();
  #underWay: Promise<unknown> = Promise.resolve();

  constructor(running: readonly RunningJob<Data>[], access: SettleAccess) {
    this.#running = new Map(running.map((one) => [one.job, one]));
    this.#access = access;
  }

  readonly settle: BatchSettle<Data> = (jobs, effects) => {
    const settlement = this.#claim(jobs, effects);
    this.#underWay = Promise.allSettled([this.#underWay, settlement]);
    // Its end counts also for a handler that does not wait for it.
    settlement.catch(() => undefined);
    return settlement;
  };

  /** The outcomes of the jobs that settle was called for, after settles under way have ended. */
  async outcomes(): Promise<ReadonlyMap<Job<Data>, Outcome>> {
    await this.#underWay;
    return this.#outcomes;
  }

  // Synchronous up to here, so that two calls of the same moment cannot both have a job.
  #claim(
    jobs: readonly Job<Data>[],
    effects: (tx: Transaction, owed: readonly Job<Data>[]) => Promise<void>,
  ): Promise<BatchSettlement<Data>> {
    try {
      this.#check(jobs);
    } catch (error) {
      return Promise.reject(toError(error));
    }
    for (const job of jobs) this.#claimed.add(job);
    return this.#settleOpen(jobs, effects).finally(() => {
      for (const job of jobs) if (this.#outcomes.get(job)?.kind !== "settled") this.#claimed.delete(job);
    });
  }

  #check(jobs: readonly Job<Data>[]): void {
    const named = new Set<Job<Data>>();
    for (const job of jobs) {
      if (!this.#running.has(job))
        throw new KeylineError("INVALID_OPTION", "settle takes jobs of the batch that the handler was called with");
      if (named.has(job) || this.#claimed.has(job)) {
        throw new KeylineError("ALREADY_SETTLED", `settle was called twice for job ${job.id}: name each job once`);
      }
      named.add(job);
    }
  }

  async #settleOpen(
    jobs: readonly Job<Data>[],
    effects: (tx: Transaction, owed: readonly Job<Data>[]) => Promise<void>,
  ): Promise<BatchSettlement<Data>> {
    const open = await this.#owned(jobs);
    await this.#settle(open, effects);
    return this.#summary(jobs);
  }

  async #owned(jobs: readonly Job<Data>[]): Promise<readonly Job<Data>[]> {
    const open: Job<Data>[] = [];
    for (const job of jobs) {
      const running = this.#running.get(job);
      if (!running) continue;
      try {
        await checkOwner(this.#access, running);
        open.push(job);
      } catch (error) {
        this.#outcomes.set(job, { kind: "lost", error: toError(error) });
      }
    }
    return open;
  }

  async #settle(jobs: readonly Job<Data>[], effects: (tx: Transaction, owed: readonly Job<Data>[]) => Promise<void>): Promise<void> {
    if (jobs.length === 0) return;
    try {
      const elements = jobs.flatMap((job) => this.#running.get(job)?.held.element ?? []);
      const settled = await this.#access.record.settle(elements, (tx, owed) =>
        effects(
          tx,
          jobs.filter((job) => owed.has(job.id)),
        ),
      );
      for (const job of jobs) {
        this.#outcomes.set(
          job,
          settled.has(job.id)
            ? { kind: "settled" }
            : {
                kind: "lost",
                error: new KeylineError(
                  "LEASE_LOST",
                  `Job ${job.id} of queue ${job.queue} was settled by somebody else: this attempt's effects were left out`,
                ),
              },
        );
      }
    } catch (error) {
      const [first] = jobs;
      if (jobs.length === 1 && first) {
        this.#outcomes.set(first, outcomeOf(error));
        return;
      }
      const middle = Math.ceil(jobs.length / 2);
      await this.#settle(jobs.slice(0, middle), effects);
      await this.#settle(jobs.slice(middle), effects);
    }
  }

  #summary(jobs: readonly Job<Data>[]): BatchSettlement<Data> {
    const settled: Job<Data>[] = [];
    const skipped: Job<Data>[] = [];
    const failed: { job: Job<Data>; error: Error }[] = [];
    for (const job of jobs) {
      const outcome = this.#outcomes.get(job);
      if (outcome?.kind === "settled") settled.push(job);
      else if (outcome?.kind === "failed" || outcome?.kind === "discarded") failed.push({ job, error: outcome.error });
      else skipped.push(job);
    }
    return { settled, skipped, failed };
  }
}
