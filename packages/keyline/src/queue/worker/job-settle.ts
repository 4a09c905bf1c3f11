import { readEffects, type SettleEffects } from "../../postgres/settle/settle-statement.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { Seam } from "../../runtime/probe.ts";
import type { Outcome } from "../../work/outcome.ts";
import { SettleOnce } from "../../work/settle-once.ts";
import type { Settling } from "../../work/single-runner.ts";
import type { ResultKeeper } from "../results/result-keeper.ts";
import { FamilyLife } from "../families/family-life.ts";
import type { Familial } from "../families/familial.ts";
import type { Pausing } from "../steps/parked.ts";
import { Pauses } from "../steps/pauses.ts";
import { Steps, type Step, type StepsParts } from "../steps/steps.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { Job } from "../job.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import type { JobRecord } from "./job-record.ts";

/**
 * Commits the end of the job together with what `effects` writes, in one short transaction. Resolves to true when this call did it,
 * to false when the job was settled before: then `effects` was not called, or what it wrote was rolled back. Throws what
 * `effects` throws, and LEASE_LOST when the job was given to somebody else.
 *
 * `effects` are a function, or one or more statements `{ text, values }`. A function may be called again after a conflict or a lost connection, so it should only
 * write through `tx`. Statements are quicker by far where many jobs settle at the same moment, because all that these write goes to PostgreSQL in one packet; what
 * is wrong with one of them is told to the one who settled it. They cannot begin or end a transaction: INVALID_OPTION.
 *
 * Settles of the same moment may share a transaction, one after the other: what is set with SET LOCAL there can be seen by the next.
 *
 * Where the job's result is kept (`keepResult`) it is what `effects` returns, committed with them; where that is undefined it is what the handler returns.
 */
export type Settle = (effects: SettleEffects) => Promise<boolean>;

export interface HandlerContext {
  readonly settle: Settle;
  readonly step: Step;
}

/** What an attempt needs of its worker to settle. */
export interface SettleAccess {
  readonly record: JobRecord;
  /** Asks Valkey whether the worker's lease goes on, where that is in doubt. */
  confirmLease(): Promise<void>;
  readonly results: ResultKeeper;
  readonly seam: Seam;
}

const notTransactional = (what: string) => (): Promise<never> => {
  const message = `This queue is not transactional: make it with { transactional: true } to ${what}`;
  return Promise.reject(new KeylineError("NOT_TRANSACTIONAL", message));
};

/** What handlers of a queue get where nothing can be settled. */
export const noSettling = {
  settle: notTransactional("settle effects with its jobs"),
  step: notTransactional("run its jobs in steps"),
};

/** What the handler of one attempt can do besides returning and throwing. */
export class JobContext<Data> implements HandlerContext, Settling<HandlerContext>, Pausing {
  readonly #held: HeldJob<Data>;
  readonly #job: Job<Data>;
  readonly #access: SettleAccess;
  readonly #once: SettleOnce<SettleEffects>;
  /** Made when they are asked for: most handlers have none. */
  #steps: Steps<Data> | undefined;
  #pauses: Pauses<Data> | undefined;
  #family: FamilyLife<Data> | undefined;

  constructor(held: HeldJob<Data>, job: Job<Data>, access: SettleAccess) {
    this.#held = held;
    this.#job = job;
    this.#access = access;
    this.#once = new SettleOnce<SettleEffects>({
      name: `job ${job.id}`,
      commit: (effects) => {
        const { probe } = access.seam;
        if (!probe) return this.#commit(effects);
        return probe.settle([job], (within) => this.#commit(typeof effects === "function" ? within(effects) : effects));
      },
      settledElsewhere: () => settledElsewhere(job),
    });
    job.allowPauses(this);
  }

  get context(): HandlerContext {
    return this;
  }

  get settle(): Settle {
    return this.#once.settle;
  }

  get step(): Step {
    return this.#makeSteps().step;
  }

  sleep(name: string, ms: number): Promise<void> {
    return this.#makePauses().sleep(name, ms);
  }

  signalled(name: string, options: { readonly timeout?: number }): Promise<unknown> {
    return this.#makePauses().signalled(name, options);
  }

  get family(): Familial {
    return (this.#family ??= new FamilyLife(this.#stepsParts(), {
      pauses: this.#makePauses(),
      steps: this.#makeSteps(),
      families: this.#access.record.families,
    }));
  }

  async outcome(): Promise<Outcome | undefined> {
    return (await this.#steps?.outcome()) ?? this.#once.outcome();
  }

  #makeSteps(): Steps<Data> {
    return (this.#steps ??= new Steps(this.#stepsParts()));
  }

  #makePauses(): Pauses<Data> {
    return (this.#pauses ??= new Pauses(this.#stepsParts(), this.#makeSteps()));
  }

  #stepsParts(): StepsParts<Data> {
    return {
      held: this.#held,
      job: this.#job,
      record: this.#access.record.steps,
      checkHeld: () => this.#checkHeld(),
      isSettled: () => this.#once.isCalled,
      isCancelled: () => this.#isCancelled(),
    };
  }

  async #commit(effects: SettleEffects): Promise<boolean> {
    this.#steps?.checkSettle();
    await this.#checkHeld();
    const { row } = this.#held;
    if (!row) return false;
    const { record, results } = this.#access;
    const { write, statements } = readEffects(effects);
    const within = results.within(this.#held, write);
    const settled = await record.settle({
      rows: [row],
      effects: within,
      // A result that is kept is written behind them, by a function.
      statements: within === write ? statements : undefined,
      signal: this.#job.signal,
    });
    if (settled.has(row.id)) return true;
    if (await this.#isCancelled()) throw new JobCancelledError(this.#job);
    return false;
  }

  async #isCancelled(): Promise<boolean> {
    const { id } = this.#job;
    return (await this.#access.record.table.cancelled.areCancelled([id])).has(id);
  }

  async #checkHeld(): Promise<void> {
    const lost = (await findLost(this.#access, [this.#held])).get(this.#held);
    if (lost) throw lost;
  }
}

/** Why each of the jobs that this worker must not settle any more is not its own; all of them are under one lease. */
export async function findLost<Data>(access: SettleAccess, held: readonly HeldJob<Data>[]): Promise<Map<HeldJob<Data>, Error>> {
  const lost = new Map<HeldJob<Data>, Error>();
  if (!held[0]?.attempt?.abortReason) await access.confirmLease();
  for (const one of held) {
    const { attempt, phase } = one;
    if (attempt?.abortReason) lost.set(one, attempt.abortReason);
    else if (attempt && phase !== "running") lost.set(one, leaseLost(attempt));
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
