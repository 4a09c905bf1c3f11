import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError, toError, ValidationError } from "../runtime/errors.ts";
import { validate } from "../runtime/schema.ts";
import type { Verdict } from "../work/verdict.ts";
import type { Element } from "./element.ts";
import { judge } from "./disposal.ts";
import type { HeldJob } from "./held-jobs.ts";
import { Job } from "./job.ts";
import type { JobRecord } from "./job-record.ts";
import type { QueuePolicy } from "./options.ts";

export interface IntakeSetup<Data> {
  readonly queue: string;
  readonly policy: QueuePolicy;
  readonly schema: StandardSchemaV1<unknown, Data> | undefined;
  readonly record: JobRecord | undefined;
  /** The job is fit to run. */
  start(held: HeldJob<Data>): void;
  /** It is not: this is what becomes of it. */
  refuse(held: HeldJob<Data>, verdict: Verdict): void;
  /** No more jobs of this lot are to come. */
  done(): void;
  /** Tries until it works; undefined when the worker stops before. */
  insist<Result>(work: () => Promise<Result>): Promise<Result | undefined>;
}

/** Makes jobs out of the elements that a worker took, and finds out which of them are not to be run. */
export class Intake<Data> {
  readonly #setup: IntakeSetup<Data>;

  constructor(setup: IntakeSetup<Data>) {
    this.#setup = setup;
  }

  begin(jobs: readonly HeldJob<Data>[]): void {
    const { record } = this.#setup;
    if (!record) {
      for (const held of jobs) this.#prepare(held);
      return;
    }
    // A job that was delivered before may be settled by now.
    const doubtful: HeldJob<Data>[] = [];
    for (const held of jobs) {
      if (held.element && (held.element.isAgain || held.element.attempts > 0)) doubtful.push(held);
      else this.#prepare(held);
    }
    if (doubtful.length > 0) void this.#beginDoubtful(record, doubtful);
  }

  async #beginDoubtful(record: JobRecord, jobs: readonly HeldJob<Data>[]): Promise<void> {
    const ids = jobs.flatMap(({ element }) => element?.id ?? []);
    const open = await this.#setup.insist(() => record.table.findOpen(ids));
    // The worker stopped meanwhile, and gives back what it holds.
    if (!open) return;
    for (const held of jobs) {
      const attempts = held.element && open.get(held.element.id);
      if (attempts !== undefined && attempts <= (held.element?.attempts ?? 0)) this.#prepare(held);
      else this.#setup.refuse(held, { kind: "drop", error: undefined });
    }
    this.#setup.done();
  }

  #prepare(held: HeldJob<Data>): void {
    const { element } = held;
    if (!element) {
      return this.#setup.refuse(held, { kind: "bury", attempts: 0, error: new KeylineError("INVALID_ELEMENT", held.problem) });
    }
    const { schema, queue } = this.#setup;
    if (!schema) return this.#start(held, element, element.data as Data);
    try {
      const data = validate(`job ${element.id} of queue ${queue}`, schema, element.data);
      if (!(data instanceof Promise)) return this.#start(held, element, data);
      data.then(
        (valid) => {
          this.#start(held, element, valid);
          this.#setup.done();
        },
        (error: unknown) => this.#refuse(held, error),
      );
    } catch (error) {
      this.#refuse(held, error);
    }
  }

  // Data that does not fit does not fit next time either.
  #refuse(held: HeldJob<Data>, error: unknown): void {
    const attempts = (held.element?.attempts ?? 0) + 1;
    if (error instanceof ValidationError) this.#setup.refuse(held, { kind: "bury", attempts, error });
    else this.#setup.refuse(held, judge(held, { kind: "failed", error: toError(error) }, this.#setup.policy));
  }

  #start(held: HeldJob<Data>, { id, attempts, at, maxAttempts }: Element, data: Data): void {
    const { queue, policy } = this.#setup;
    held.job = new Job({ id, queue, data, attempt: attempts + 1, addedAt: at ?? Date.now() });
    if (attempts < (maxAttempts ?? policy.maxAttempts)) return this.#setup.start(held);
    const error = new KeylineError(
      "WORKER_DIED",
      `Job ${id} has had all its ${attempts} attempts, the last of them with a worker that died: it may be what kills them`,
    );
    this.#setup.refuse(held, { kind: "bury", attempts, error });
  }
}
