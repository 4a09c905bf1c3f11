import { Attempt } from "../work/attempt.ts";
import { KeylineError } from "../runtime/errors.ts";
import { readChildren } from "./families/children.ts";
import type { ChildrenOptions, ChildrenPage, ChildResult, Familial } from "./families/familial.ts";
import type { Pausing } from "./steps/parked.ts";
import type { Child } from "./options.ts";
import type { Tick } from "./schedules/schedule-state.ts";

/** Gives a job of a plain queue its family, where its handler asks for that. */
export type FamilySource = (job: Job<unknown>, held: unknown) => Familial;

/** One attempt at a unit of work, as its handler gets it. */
export class Job<Data> extends Attempt {
  /** Unique within its queue; the caller's own or a new one. */
  readonly id: string;
  readonly queue: string;
  readonly data: Data;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** When it was added, in milliseconds since 1970. */
  readonly addedAt: number;
  /** Which tick of which schedule it is; undefined when somebody added it. */
  readonly schedule: Tick | undefined;
  /** The group that it was added with. */
  readonly group: string | undefined;
  /** @internal */
  isOver = false;
  readonly #note: ((job: Job<unknown>, value: unknown) => void) | undefined;
  readonly #held: unknown;
  readonly #source: FamilySource | undefined;
  #pausing: Pausing | undefined;
  #own: Familial | undefined;

  /** @internal */
  constructor(fields: {
    readonly id: string;
    readonly queue: string;
    readonly data: Data;
    readonly attempt: number;
    readonly addedAt: number;
    readonly schedule: Tick | undefined;
    readonly group: string | undefined;
    readonly noteProgress?: (job: Job<unknown>, value: unknown) => void;
    readonly family?: FamilySource | undefined;
    /** What its worker has of it. */
    readonly held?: unknown;
  }) {
    super();
    this.id = fields.id;
    this.queue = fields.queue;
    this.data = fields.data;
    this.attempt = fields.attempt;
    this.addedAt = fields.addedAt;
    this.schedule = fields.schedule;
    this.group = fields.group;
    this.#note = fields.noteProgress;
    this.#source = fields.family;
    this.#held = fields.held;
  }

  /**
   * Says how far the job has come: JSON of up to 4 KiB, for those who look at it or follow the queue's events. It is written at most ten times a second, the last one
   * always, and is gone with the job. Nothing has to wait for it. Throws NOT_SERIALIZABLE, FORBIDDEN_KEY and PAYLOAD_TOO_LARGE at once.
   *
   * @example
   * job.progress({ done: 5, of: 10 });
   */
  progress(value: unknown): Promise<void> {
    // At once, also where nobody waits for what it returns.
    this.#note?.(this, value);
    return Promise.resolve();
  }

  /**
   * Waits for `ms` milliseconds, up to ten years, without a worker: the attempt ends by the error `Parked`, which the handler lets pass, and is not counted. The handler is run again when the time
   * is over, and then, and from then on, this resolves at once. For handlers of `work` on transactional queues; what was done before it belongs into steps. The name is used once in a run.
   *
   * Rejects with INVALID_OPTION, INVALID_STEP, LEASE_LOST and NOT_TRANSACTIONAL.
   */
  sleep(name: string, ms: number): Promise<void> {
    return this.#pausing ? this.#pausing.sleep(name, ms) : this.#refuse("sleep");
  }

  /**
   * Waits for the signal of that name without a worker, as `sleep` does, and resolves to its data: also where `queue.signal` was called before. Rejects with TIMEOUT once it has waited for
   * `timeout` milliseconds, in every run from then on.
   */
  signalled<SignalData = unknown>(name: string, options: { readonly timeout?: number } = {}): Promise<SignalData> {
    return this.#pausing ? (this.#pausing.signalled(name, options) as Promise<SignalData>) : this.#refuse("wait for a signal");
  }

  /**
   * What became of the job's children, in the order in which they were added, page by page as they are iterated. For handlers of `work`, and of `workBatch` on plain queues. Throws
   * NOT_TRANSACTIONAL at once for those of `workBatch` on transactional queues.
   *
   * @example
   * for await (const { id, outcome, value } of job.children<number>()) total += value ?? 0;
   */
  children<Value = unknown>(): AsyncIterableIterator<ChildResult<Value>, undefined, void> {
    return readChildren(this.#family) as AsyncIterableIterator<ChildResult<Value>, undefined, void>;
  }

  /**
   * Adds children: on a transactional queue within a step, on a plain one under a `name`, so that a handler that is run again does not add them again. `childrenEnded` waits for them. Rejects,
   * before anything is written, as `add` with `children` does, and where the name was used in this run; and with LEASE_LOST and NOT_TRANSACTIONAL.
   *
   * @example
   * await job.addChildren(pages.map((page) => ({ queue: renders, data: page })), { name: "split" });
   * // On a transactional queue:
   * await step("split", (tx) => job.addChildren(pages.map((page) => ({ queue: renders, data: page })), { tx }));
   * await job.childrenEnded();
   */
  async addChildren(children: readonly Child[], options: ChildrenOptions): Promise<void> {
    await this.#family.add(children, options);
  }

  /**
   * Waits until all children have ended, without a worker, as `sleep` does. Where one is dead and `onChildDead` is "die", the job becomes a dead letter.
   */
  async childrenEnded(): Promise<void> {
    await this.#family.ended();
  }

  /** @internal */
  async childrenPage(after: string): Promise<ChildrenPage> {
    return this.#family.page(after);
  }

  get #family(): Familial {
    if (this.#pausing) return this.#pausing.family;
    if (this.#source) return (this.#own ??= this.#source(this, this.#held));
    throw this.#refusal("have children");
  }

  /** @internal */
  allowPauses(pausing: Pausing): void {
    this.#pausing = pausing;
  }

  #refuse(what: string): Promise<never> {
    return Promise.reject(this.#refusal(what));
  }

  #refusal(what: string): KeylineError {
    const message = `Job ${this.id} of queue ${this.queue} cannot ${what}: only a handler of \`work\` on a transactional queue can`;
    return new KeylineError("NOT_TRANSACTIONAL", message);
  }
}
