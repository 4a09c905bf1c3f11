import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Door } from "../runtime/door.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import { isLent } from "../postgres/client/lent-client.ts";
import type { TransactionClient } from "../postgres/client/options.ts";
import { newId } from "../runtime/ids.ts";
import { toJson } from "../runtime/json.ts";
import type { Logger } from "../runtime/logger.ts";
import { checkId } from "../runtime/names.ts";
import { checkInteger, checkOptionNames, checkTimeout } from "../runtime/options.ts";
import { validate } from "../runtime/schema.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import type { QueueCounts } from "../valkey/queue/reads.ts";
import type { QueueStore } from "../valkey/queue/queue-store.ts";
import type { Adder, AddRequest } from "./adder.ts";
import { readDeadLetter, type DeadLetter } from "./dead-letter.ts";
import { readHead } from "./element.ts";
import type { JobRecord } from "./job-record.ts";
import type { AddOptions, AddResult, QueuePolicy, TransactionalAddOptions, WorkBatchOptions, WorkOptions } from "./options.ts";
import { BatchRunner, type BatchHandler, type SettlingBatchHandler } from "./batch-runner.ts";
import { noSettling, settleOf, type HandlerContext } from "./job-settle.ts";
import { SingleRunner } from "../work/single-runner.ts";
import type { Job } from "./job.ts";
import type { TransactionalAdder } from "./transactional-adder.ts";
import { Worker, type WorkerSetup } from "./worker.ts";

/** What `Keyline` gives a queue to work with. */
export interface QueueParts {
  readonly store: QueueStore;
  readonly adder: Adder;
  /** Both only on a transactional queue. */
  readonly record: JobRecord | undefined;
  readonly transactionalAdder: TransactionalAdder | undefined;
  readonly policy: QueuePolicy;
  readonly schema: StandardSchemaV1 | undefined;
  readonly logger: Logger;
  createBlockingConnection(blockMs: number): ValkeyConnection;
  readonly workers: Set<{ stop(): Promise<void> }>;
  readonly door: Door;
}

export type Handler<Data> = (job: Job<Data>) => unknown;
export type SettlingHandler<Data> = (job: Job<Data>, context: HandlerContext) => unknown;

export interface QueueStatus extends QueueCounts {
  /** When the job that is taken next was added, in milliseconds since 1970; undefined when none waits, or a foreign writer left it out. */
  readonly oldestWaitingAt: number | undefined;
}

type AddOptionsOf<Transactional extends boolean> = Transactional extends true ? TransactionalAddOptions : AddOptions;
type HandlerOf<Data, Transactional extends boolean> = Transactional extends true ? SettlingHandler<Data> : Handler<Data>;
type BatchHandlerOf<Data, Transactional extends boolean> = Transactional extends true ? SettlingBatchHandler<Data> : BatchHandler<Data>;

const noOptions = {};
const addOptionNames = new Set<string>(["id", "maxAttempts", "tx"] satisfies (keyof TransactionalAddOptions)[]);
const addManyOptionNames = new Set(["tx"]);
const jobOptionNames = new Set<string>(["id", "maxAttempts"] satisfies (keyof AddOptions)[]);
const workOptionNames = new Set<string>(["concurrency", "timeout"] satisfies (keyof WorkOptions)[]);
const workBatchOptionNames = new Set<string>(["size", "concurrency", "timeout"] satisfies (keyof WorkBatchOptions)[]);
const listOptionNames = new Set(["limit"]);
// So many jobs does one command take at the most, so that the server answers others in between.
const largestTake = 500;
const redrivePage = 500;

/** Work that must be done once, by one of many workers, in order. */
export class Queue<Input, Output = Input, Transactional extends boolean = false> {
  readonly name: string;
  readonly #parts: QueueParts;
  readonly #subject: string;

  /** @internal */
  constructor(name: string, parts: QueueParts) {
    this.name = name;
    this.#parts = parts;
    this.#subject = `queue ${name}`;
  }

  /**
   * Adds a job at the tail of the queue. On a plain queue it is there when this resolves, as durable as Valkey is. On a transactional
   * queue it is committed then; with `tx` it will be with that transaction, or never.
   *
   * Throws, before anything is sent, ValidationError, NOT_SERIALIZABLE, FORBIDDEN_KEY, PAYLOAD_TOO_LARGE or INVALID_OPTION; and
   * VALKEY_UNAVAILABLE or POSTGRES_UNAVAILABLE when the store could not be reached, OUTCOME_UNKNOWN when its answer got lost.
   *
   * @example
   * const { id } = await emails.add({ to: "a@example.com" });
   */
  add(data: Input, options?: AddOptionsOf<Transactional>): Promise<AddResult>;
  add(data: Input, options: TransactionalAddOptions = noOptions): Promise<AddResult> {
    try {
      const { door } = this.#parts;
      if (options.tx === undefined || !isLent(options.tx)) door.check();
      if (options !== noOptions) checkOptionNames("add", options, addOptionNames);
      const request = this.#check(data, options);
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
    options?: Omit<AddOptionsOf<Transactional>, "id" | "maxAttempts">,
  ): Promise<AddResult[]>;
  async addMany(
    jobs: readonly ({ readonly data: Input } & AddOptions)[],
    options: Pick<TransactionalAddOptions, "tx"> = {},
  ): Promise<AddResult[]> {
    const { door, adder } = this.#parts;
    if (options.tx === undefined || !isLent(options.tx)) door.check();
    checkOptionNames("addMany", options, addManyOptionNames);
    const checked = Promise.all(
      jobs.map(async ({ data, ...rest }) => {
        checkOptionNames("a job of addMany", rest, jobOptionNames);
        return this.#check(data, rest);
      }),
    );
    const { tx } = options;
    return door.follow(checked.then((requests) => (tx ? this.#transactionalAdder().addWithin(tx, requests) : adder.addMany(requests))));
  }

  /**
   * Runs `handler` for each job until the worker is stopped, in the order of adding, `concurrency` (default 1) at a time. A handler that
   * returns completes its job; one that throws has it tried again, up to `maxAttempts`. Each job runs at least once: effects in
   * PostgreSQL happen exactly once on a transactional queue, when they are written in `settle`.
   *
   * @example
   * const worker = emails.work(async (job) => send(job.data), { concurrency: 50 });
   */
  work(handler: HandlerOf<Output, Transactional>, options: WorkOptions = {}): Worker<Output> {
    checkOptionNames("work", options, workOptionNames);
    const { concurrency = 1, timeout } = options;
    checkInteger("concurrency", concurrency, { min: 1, max: 10_000 });
    checkTimeout(timeout, 1);
    return this.#startWorker(Math.min(largestTake, Math.ceil(concurrency / 2)), (access) => {
      return new SingleRunner({
        handler,
        concurrency,
        timeoutMs: timeout,
        noSettling,
        createSettling: access && ((held, job) => settleOf(held, job, access)),
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
    checkInteger("size", size, { min: 1, max: 1_000 });
    checkInteger("concurrency", concurrency, { min: 1, max: 100 });
    checkTimeout(timeout, 1);
    return this.#startWorker(size, (access) => {
      return new BatchRunner({ handler, size, concurrency, timeoutMs: timeout, access });
    });
  }

  /** How many jobs wait, run, are scheduled and are dead. On a transactional queue `dead` counts rows; what runs was not settled yet. */
  counts(): Promise<QueueStatus> {
    return this.#parts.door.accept(() => this.#counts());
  }

  async #counts(): Promise<QueueStatus> {
    await this.#parts.store.connection.ensureReady(5_000);
    const { first, ...counts } = await this.#parts.store.reads.counts();
    const dead = (await this.#parts.record?.table.countDead()) ?? 0;
    return { ...counts, dead: counts.dead + dead, oldestWaitingAt: readHead(first)?.at };
  }

  /** The newest dead letters, up to `limit` (default 100). */
  deadLetters(options: { readonly limit?: number } = {}): Promise<DeadLetter[]> {
    return this.#parts.door.accept(() => this.#deadLetters(options));
  }

  async #deadLetters(options: { readonly limit?: number }): Promise<DeadLetter[]> {
    checkOptionNames("deadLetters", options, listOptionNames);
    const { limit = 100 } = options;
    checkInteger("limit", limit, { min: 1, max: 10_000 });
    const rows = (await this.#parts.record?.table.listDead(limit)) ?? [];
    const letters = rows.map(({ id, data, attempts, last_error }) => ({ id, data, attempts, reason: last_error ?? "" }));
    await this.#parts.store.connection.ensureReady(5_000);
    const onValkey = await this.#parts.store.letters.newest(limit);
    return [...letters, ...onValkey.map(readDeadLetter)].slice(0, limit);
  }

  /**
   * Puts dead letters back on the queue, oldest first, up to `limit` (default: all), with all their attempts before them. Returns
   * how many. On a plain queue one whose own id was added again meanwhile stays a dead letter.
   */
  redrive(options: { readonly limit?: number } = {}): Promise<number> {
    return this.#parts.door.accept(() => this.#redrive(options));
  }

  async #redrive(options: { readonly limit?: number }): Promise<number> {
    checkOptionNames("redrive", options, listOptionNames);
    const { limit = Number.MAX_SAFE_INTEGER } = options;
    checkInteger("limit", limit, { min: 1 });
    await this.#parts.store.connection.ensureReady(5_000);
    const rows = await this.#redriveRows(limit);
    return rows + (await this.#redriveLetters(limit - rows));
  }

  async #addWithin(tx: TransactionClient, request: AddRequest): Promise<AddResult> {
    const [result] = await this.#transactionalAdder().addWithin(tx, [request]);
    return result ?? { id: request.id, added: false };
  }

  #addChecked(request: AddRequest, tx: TransactionClient | undefined): Promise<AddResult> {
    return tx === undefined ? this.#parts.adder.add(request) : this.#parts.door.follow(this.#addWithin(tx, request));
  }

  async #redriveRows(limit: number): Promise<number> {
    const { transactionalAdder } = this.#parts;
    if (!transactionalAdder) return 0;
    let count = 0;
    for (let moved = redrivePage; moved === redrivePage && count < limit; count += moved) {
      moved = await transactionalAdder.redrive(Math.min(redrivePage, limit - count));
    }
    return count;
  }

  // Letters that stay go behind the others: each that was there is looked at once.
  async #redriveLetters(limit: number): Promise<number> {
    const { store } = this.#parts;
    let count = 0;
    for (let left = await store.letters.count(); left > 0 && count < limit;) {
      const { looked, moved } = await store.letters.redrive(Math.min(redrivePage, limit - count, left));
      if (looked === 0) break;
      left -= looked;
      count += moved;
    }
    return count;
  }

  #startWorker(take: number, createRunner: WorkerSetup<Output>["createRunner"]): Worker<Output> {
    const { store, record, policy, schema, logger, workers } = this.#parts;
    this.#parts.door.checkOpen();
    // Shorter than the lease, so that nobody waits under a lease that has ended.
    const blockMs = Math.min(5_000, Math.floor(policy.leaseMs / 2));
    const worker = new Worker<Output>({
      queue: this.name,
      store,
      blocking: this.#parts.createBlockingConnection(blockMs),
      record,
      policy,
      schema: schema as StandardSchemaV1<unknown, Output> | undefined,
      logger,
      largestTake: take,
      blockMs,
      createRunner,
      onStopped: () => workers.delete(worker),
    });
    workers.add(worker);
    return worker;
  }

  #check(data: Input, options: AddOptions): AddRequest | Promise<AddRequest> {
    const { schema } = this.#parts;
    if (!schema) return this.#toRequest(data, options);
    const valid = validate(this.#subject, schema, data);
    // What is sent is what the caller gave: the worker validates it again, and gets what the schema makes of it.
    return valid instanceof Promise ? valid.then(() => this.#toRequest(data, options)) : this.#toRequest(data, options);
  }

  #toRequest(data: Input, { id, maxAttempts }: AddOptions): AddRequest {
    if (maxAttempts !== undefined) checkInteger("maxAttempts", maxAttempts, { min: 1, max: 1_000_000 });
    return {
      id: id === undefined ? newId() : checkId(id),
      isOwnId: id !== undefined,
      dataJson: toJson(this.#subject, data, this.#parts.policy.maxPayloadBytes),
      maxAttempts,
    };
  }

  #transactionalAdder(): TransactionalAdder {
    if (this.#parts.transactionalAdder) return this.#parts.transactionalAdder;
    throw new KeylineError(
      "NOT_TRANSACTIONAL",
      `Queue ${this.name} is not transactional: make it with { transactional: true } to add within a transaction`,
    );
  }
}
