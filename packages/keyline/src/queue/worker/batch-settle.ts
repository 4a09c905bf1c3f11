import type { Transaction } from "../../postgres/client/options.ts";
import { isBehind } from "../../postgres/job/held-count.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { outcomeOf, Snooze, type Outcome } from "../../work/outcome.ts";
import type { HeldJob } from "./held-jobs.ts";
import { isCancellation, JobCancelledError } from "../results/job-errors.ts";
import type { Job } from "../job.ts";
import { findLost, settledElsewhere, type SettleAccess } from "./job-settle.ts";

/** A job of a batch that has begun. */
export interface RunningJob<Data> {
  readonly held: HeldJob<Data>;
  readonly job: Job<Data>;
}

type BatchEffects<Data> = (tx: Transaction, owed: readonly Job<Data>[]) => Promise<unknown>;

/** What a batch's settle came to. */
export interface BatchSettlement<Data> {
  /** Their effects and their end were committed by this call. */
  readonly settled: readonly Job<Data>[];
  /** Settled before, given to somebody else, or a second copy of a job in the batch: no effects of theirs were committed by this call. */
  readonly skipped: readonly Job<Data>[];
  /** Their effects failed or put them off (then `error` is the Snooze): nothing of them was committed, and they are tried again. */
  readonly failed: readonly { readonly job: Job<Data>; readonly error: Error }[];
}

/**
 * Commits the end of `jobs` together with what `effects` writes, in one short transaction. `owed` are those of them that were not
 * settled before: write effects for these and no others.
 *
 * When `effects` throws, the batch is halved and tried again until the jobs that make it throw are alone: their neighbours are
 * settled, they are retried. When `owed` turns out to have named settled jobs, what was written is rolled back, and `effects` called
 * again without them. So it may be called several times, and should only write through `tx`. Settles of the same moment may share
 * a transaction, one after the other: what is set with SET LOCAL there can be seen by the next.
 *
 * Where results are kept (`keepResult`) `effects` may return a Map of them, by job.
 */
export type BatchSettle<Data> = (
  jobs: readonly Job<Data>[],
  effects: (tx: Transaction, owed: readonly Job<Data>[]) => Promise<unknown>,
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
  #claim(jobs: readonly Job<Data>[], effects: BatchEffects<Data>): Promise<BatchSettlement<Data>> {
    try {
      this.#check(jobs);
    } catch (error) {
      return Promise.reject(toError(error));
    }
    for (const job of jobs) this.#claimed.add(job);
    const { probe } = this.#access.seam;
    const settling = probe ? probe.settle(jobs, (within) => this.#settleOpen(jobs, within(effects))) : this.#settleOpen(jobs, effects);
    return settling.finally(() => {
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

  async #settleOpen(jobs: readonly Job<Data>[], effects: BatchEffects<Data>): Promise<BatchSettlement<Data>> {
    const running = jobs.flatMap((job) => this.#running.get(job) ?? []);
    const lost = await findLost(
      this.#access,
      running.map(({ held }) => held),
    );
    for (const { held, job } of running) {
      const error = lost.get(held);
      if (error) this.#outcomes.set(job, { kind: "lost", error });
    }
    const open = lost.size === 0 ? running : running.filter(({ held }) => !lost.has(held));
    await this.#settle(this.#withoutCopies(open), effects);
    return this.#summary(jobs);
  }

  /**
   * A job that was delivered twice may be in a batch twice. Its row is claimed by its id, so that both copies would be owed effects: only that of
   * the latest attempt is settled, or of the one that has asked the row later.
   */
  #withoutCopies(running: readonly RunningJob<Data>[]): readonly RunningJob<Data>[] {
    const latest = new Map<string, RunningJob<Data>>();
    for (const one of running) {
      const known = latest.get(one.job.id);
      if (!known || (known.held.row && one.held.row && isBehind(known.held.row, one.held.row))) latest.set(one.job.id, one);
    }
    if (latest.size === running.length) return running;
    for (const { job } of running) if (latest.get(job.id)?.job !== job) this.#outcomes.set(job, settledElsewhere(job));
    return [...latest.values()];
  }

  async #settle(running: readonly RunningJob<Data>[], effects: BatchEffects<Data>): Promise<void> {
    const [first] = running;
    if (!first) return;
    const blame = new Blame();
    try {
      const settled = await this.#access.record.settle({
        rows: running.flatMap(({ held }) => held.row ?? []),
        effects: (tx, owed) => {
          const ours = running.filter(({ job }) => owed.has(job.id));
          return blame.watch(async () => {
            const values = await effects(
              tx,
              ours.map(({ job }) => job),
            );
            await this.#access.results.keepAll(tx, ours, values);
          });
        },
        signal: signalOf(running),
      });
      for (const { job } of running) if (settled.has(job.id)) this.#outcomes.set(job, { kind: "settled" });
      if (settled.size < running.length) await this.#noteMissing(running.filter(({ job }) => !settled.has(job.id)));
    } catch (error) {
      if (running.length === 1 || !blame.mayBeOneJobs(error)) {
        for (const { job } of running) this.#outcomes.set(job, outcomeOf(error));
        return;
      }
      const middle = Math.ceil(running.length / 2);
      await this.#settle(running.slice(0, middle), effects);
      await this.#settle(running.slice(middle), effects);
    }
  }

  async #noteMissing(running: readonly RunningJob<Data>[]): Promise<void> {
    const cancelled = await this.#access.record.table.cancelled.areCancelled(running.map(({ job }) => job.id));
    for (const { job } of running) {
      this.#outcomes.set(job, cancelled.has(job.id) ? { kind: "lost", error: new JobCancelledError(job) } : settledElsewhere(job));
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
      else if (outcome?.kind === "snoozed") failed.push({ job, error: new Snooze(outcome.delayMs) });
      else skipped.push(job);
    }
    return { settled, skipped, failed };
  }
}

/** Whether a settle failed by what the effects of one of its jobs did; then its other jobs can be settled without that one. */
class Blame {
  #phase: "before" | "within" | "after" = "before";
  #thrown: Error | undefined;

  async watch(effects: () => Promise<void>): Promise<void> {
    this.#phase = "within";
    this.#thrown = undefined;
    try {
      await effects();
    } catch (error) {
      this.#thrown = toError(error);
      throw this.#thrown;
    }
    this.#phase = "after";
  }

  /** True for what the effects threw, and for what PostgreSQL found wrong with them at COMMIT, such as a deferred constraint. */
  mayBeOneJobs(error: unknown): boolean {
    if (this.#phase === "within") return error === this.#thrown;
    return this.#phase === "after" && !(error instanceof KeylineError);
  }
}

/** Whatever aborts one job of a batch aborts all of them, but that it was cancelled: its neighbours go on. */
function signalOf(running: readonly RunningJob<unknown>[]): AbortSignal | undefined {
  const [first] = running;
  const last = running.at(-1);
  if (!first || !last || first === last) return first?.job.signal;
  const controller = new AbortController();
  for (const { signal } of [first.job, last.job]) {
    const abort = (): void => {
      if (!isCancellation(toError(signal.reason))) controller.abort(signal.reason);
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  }
  return controller.signal;
}
