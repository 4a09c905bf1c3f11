import { KeylineError, toError } from "../runtime/errors.ts";
import { isLent } from "../postgres/client/lent-client.ts";
import type { TransactionClient } from "../postgres/client/options.ts";
import { checkFunction, checkInteger, checkOptionNames, checkTimeout } from "../runtime/options.ts";
import { lengthOf } from "../runtime/probe.ts";
import { AddCheck, checkAddManyOptions, checkAddOptions, checkedChild } from "./add/add-check.ts";
import { deathOf } from "./families/family-tree.ts";
import type { Member } from "./families/member.ts";
import type { AddRequest } from "./add/add-request.ts";
import type { AddOptions, AddResult, FamilyOptions, TransactionalAddOptions, WorkBatchOptions, WorkOptions } from "./options.ts";
import { BatchRunner, type BatchHandler, type SettlingBatchHandler } from "./worker/batch-runner.ts";
import { JobContext, noSettling, type HandlerContext } from "./worker/job-settle.ts";
import { checkIsolate, IsolatedRunner } from "./isolate/isolated-runner.ts";
import { QueueOperations } from "./queue-operations.ts";
import type { QueueParts } from "./queue-parts.ts";
import { SingleRunner } from "../work/single-runner.ts";
import type { Watched } from "../work/watched.ts";
import { describeJobs, errorOfJob } from "./worker/described.ts";
import type { HeldJob } from "./worker/held-jobs.ts";
import type { Job } from "./job.ts";
import type { TransactionalAdder } from "./add/transactional-adder.ts";
import { startWorker } from "./worker/start-worker.ts";
import type { Worker } from "./worker/worker.ts";

export type Handler<Data> = (job: Job<Data>) => unknown;
export type SettlingHandler<Data> = (job: Job<Data>, context: HandlerContext) => unknown;

type AddOptionsOf<Transactional extends boolean> = Transactional extends true ? TransactionalAddOptions : AddOptions & FamilyOptions;
type HandlerOf<Data, Transactional extends boolean> = Transactional extends true ? SettlingHandler<Data> : Handler<Data>;
type BatchHandlerOf<Data, Transactional extends boolean> = Transactional extends true ? SettlingBatchHandler<Data> : BatchHandler<Data>;

const noOptions = {};
const workOptionNames = new Set<string>(["concurrency", "timeout", "isolate"] satisfies (keyof WorkOptions)[]);
const workBatchOptionNames = new Set<string>(["size", "concurrency", "timeout"] satisfies (keyof WorkBatchOptions)[]);
// So many jobs does one command take at the most, so that the server answers others in between.
const largestTake = 500;

/** Work that must be done once, by one of many workers, in order. */
export class Queue<Input, Output = Input, Transactional extends boolean = false> extends QueueOperations<Input> {
  readonly name: string;
  readonly #parts: QueueParts;
  readonly #check: AddCheck<Input>;

  /** @internal */
  constructor(name: string, parts: QueueParts) {
    const check = new AddCheck<Input>(name, {
      schema: parts.schema,
      maxPayloadBytes: parts.policy.maxPayloadBytes,
      keepMs: parts.policy.keepResultMs,
    });
    super(parts, check);
    this.name = name;
    this.#parts = parts;
    this.#check = check;
    const { door, seam, store, outlet, families } = parts;
    const member: Member = {
      queue: name,
      door,
      seam,
      store,
      outlet,
      adds: parts.listening.adds,
      check: (data, options) => check.check(data as Input, checkedChild(options)),
    };
    families.join(this, member);
  }

  /**
   * Adds a job at the tail of the queue. On a plain queue it is there when this resolves, as durable as Valkey is. On a transactional
   * queue it is committed then; with `tx` it is committed with that transaction, or never.
   *
   * Throws, before anything is sent, ValidationError, NOT_SERIALIZABLE, FORBIDDEN_KEY, PAYLOAD_TOO_LARGE or INVALID_OPTION; and
   * VALKEY_UNAVAILABLE or POSTGRES_UNAVAILABLE when the store could not be reached, OUTCOME_UNKNOWN when its answer got lost.
   *
   * @example
   * const { id } = await emails.add({ to: "a@example.com" });
   */
  add(data: Input, options?: AddOptionsOf<Transactional>): Promise<AddResult>;
  add(data: Input, options: TransactionalAddOptions = noOptions): Promise<AddResult> {
    const { probe } = this.#parts.seam;
    if (!probe) return this.#add(data, options, undefined);
    return probe.send({ place: this.name, count: undefined }, (trace) => this.#add(data, options, trace));
  }

  #add(data: Input, options: TransactionalAddOptions, trace: string | undefined): Promise<AddResult> {
    try {
      const { door } = this.#parts;
      if (options !== noOptions) checkAddOptions(options);
      if (options.tx === undefined || !isLent(options.tx)) door.check();
      if (options.children !== undefined || options.onChildDead !== undefined) return door.follow(this.#addFamily(data, options, trace));
      const request = this.#check.check(data, options, trace);
      if (request instanceof Promise) return door.follow(request.then((checked) => this.#addChecked(checked, options.tx)));
      return this.#addChecked(request, options.tx);
    } catch (error) {
      return Promise.reject(toError(error));
    }
  }

  /**
   * Adds jobs, in this order. All are checked first: when one of them is refused, none is added. On a transactional queue they are
   * one transaction only within `tx`; without it many of them are several statements.
   *
   * @example
   * await emails.addMany([{ data: { to: "a@example.com" } }, { data: { to: "b@example.com" } }]);
   */
  addMany(
    jobs: readonly ({ readonly data: Input } & AddOptions)[],
    options?: Omit<AddOptionsOf<Transactional>, keyof AddOptions | keyof FamilyOptions>,
  ): Promise<AddResult[]>;
  addMany(
    jobs: readonly ({ readonly data: Input } & AddOptions)[],
    options: Pick<TransactionalAddOptions, "tx"> = noOptions,
  ): Promise<AddResult[]> {
    const { probe } = this.#parts.seam;
    if (!probe) return this.#addMany(jobs, options, undefined);
    return probe.send({ place: this.name, count: lengthOf(jobs) }, (trace) => this.#addMany(jobs, options, trace));
  }

  async #addMany(
    jobs: readonly ({ readonly data: Input } & AddOptions)[],
    options: Pick<TransactionalAddOptions, "tx">,
    trace: string | undefined,
  ): Promise<AddResult[]> {
    const { door } = this.#parts;
    checkAddManyOptions(jobs, options);
    if (options.tx === undefined || !isLent(options.tx)) door.check();
    const checked = this.#check.checkAll(jobs, trace);
    return door.follow(checked.then((requests) => this.#addAll(requests, options.tx)));
  }

  /**
   * Runs `handler` for each job until the worker is stopped, in the order of adding, `concurrency` (default 1) at a time. When a handler
   * returns, its job is completed; when it throws, the job is tried again, up to `maxAttempts`. Each job runs at least once: effects in
   * PostgreSQL happen exactly once on a transactional queue, when they are written in `settle`.
   *
   * With `isolate` the handler is a file that exports it as `handler` or by default, and runs in threads or processes, where it keeps nobody waiting. What it is given and returns is cloned on the way. A
   * file that does not exist is INVALID_HANDLER, thrown; one that cannot be loaded or exports no handler is the worker's `error`, and it takes nothing.
   *
   * @example
   * const worker = emails.work(async (job) => send(job.data), { concurrency: 50 });
   */
  work(handler: HandlerOf<Output, Transactional> | URL, options: WorkOptions = {}): Worker<Output> {
    checkOptionNames("work", options, workOptionNames);
    const { concurrency = 1, timeout } = options;
    checkInteger("concurrency", concurrency, { min: 1, max: 10_000 });
    checkTimeout(timeout, 1);
    const takes = { largestTake: Math.min(largestTake, Math.ceil(concurrency / 2)), aheadOf: concurrency, concurrency };
    if (handler instanceof URL || options.isolate !== undefined) return this.#workIsolated(handler, { ...options, concurrency });
    checkFunction("The handler of work", handler);
    return startWorker<Output>(this.name, this.#parts, takes, (access) => {
      return new SingleRunner({
        handler,
        concurrency,
        timeoutMs: timeout,
        watched: this.#watched,
        noSettling,
        createSettling: access && ((held, job) => new JobContext(held, job, access)),
      });
    });
  }

  /**
   * Runs `handler` for up to `size` (default 100) jobs at a time: as many as there are, without waiting for more.
   *
   * @example
   * orders.workBatch(async (jobs, { settle }) => {
   *   await settle(jobs, async (tx, owed) => {
   *     await tx.query("UPDATE orders SET status = 'processed' WHERE order_id = ANY($1)", [owed.map((job) => job.data.orderId)]);
   *   });
   * });
   */
  workBatch(handler: BatchHandlerOf<Output, Transactional>, options: WorkBatchOptions = {}): Worker<Output> {
    checkOptionNames("workBatch", options, workBatchOptionNames);
    const { size = 100, concurrency = 1, timeout } = options;
    checkFunction("The handler of workBatch", handler);
    checkInteger("size", size, { min: 1, max: 1_000 });
    checkInteger("concurrency", concurrency, { min: 1, max: 100 });
    checkTimeout(timeout, 1);
    return startWorker<Output>(this.name, this.#parts, { largestTake: size, aheadOf: 0, concurrency: size * concurrency }, (access) => {
      return new BatchRunner({ handler, size, concurrency, timeoutMs: timeout, watched: this.#watched, access });
    });
  }

  #workIsolated(handler: unknown, { isolate, concurrency, timeout }: WorkOptions & { readonly concurrency: number }): Worker<Output> {
    const file = checkIsolate(handler, isolate);
    const takes = { largestTake: Math.min(largestTake, concurrency), aheadOf: 0, concurrency };
    return startWorker<Output>(
      this.name,
      this.#parts,
      takes,
      (access) => new IsolatedRunner<Output>({ ...file, concurrency, timeoutMs: timeout, watched: this.#watched }, access),
    );
  }

  get #watched(): Watched<HeldJob<Output>, Job<Output>> {
    return { seam: this.#parts.seam, describe: describeJobs, errorOf: errorOfJob };
  }

  async #addWithin(tx: TransactionClient, request: AddRequest): Promise<AddResult> {
    const [result] = await this.#transactionalAdder().addWithin(tx, [request]);
    return result ?? { id: request.id, added: false };
  }

  async #addFamily(
    data: Input,
    { children = [], onChildDead, tx, ...options }: TransactionalAddOptions,
    trace: string | undefined,
  ): Promise<AddResult> {
    const request = await this.#check.check(data, options, trace);
    if (Array.isArray(children) && children.length === 0) {
      deathOf(onChildDead);
      return this.#addChecked(request, tx);
    }
    return this.#parts.families.add(request, { children, onChildDead, tx });
  }

  #addChecked(request: AddRequest, tx: TransactionClient | undefined): Promise<AddResult> {
    if (tx !== undefined) return this.#parts.door.follow(this.#addWithin(tx, request));
    if (request.keepMs) this.#noteAdd(request);
    return this.#parts.adder.add(request);
  }

  #addAll(requests: readonly AddRequest[], tx: TransactionClient | undefined): Promise<AddResult[]> {
    if (tx !== undefined) return this.#transactionalAdder().addWithin(tx, requests);
    for (const request of requests) if (request.keepMs) this.#noteAdd(request);
    return this.#parts.adder.addMany(requests);
  }

  #noteAdd({ id, isOwnId }: AddRequest): void {
    if (!isOwnId) this.#parts.listening.waits.noteAdd(id);
  }

  #transactionalAdder(): TransactionalAdder {
    if (this.#parts.transactionalAdder) return this.#parts.transactionalAdder;
    throw new KeylineError(
      "NOT_TRANSACTIONAL",
      `Queue ${this.name} is not transactional: make it with { transactional: true } to add within a transaction`,
    );
  }
}
