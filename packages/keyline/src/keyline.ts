import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Audit } from "./audit/audit.ts";
import { createAudit } from "./audit/create-audit.ts";
import type { Channel } from "./channel/channel.ts";
import type { ChannelPattern } from "./channel/channel-pattern.ts";
import { Channels } from "./channel/channels.ts";
import type { ChannelOptions } from "./channel/options.ts";
import { readHealth, type Health } from "./health/health.ts";
import { Directory } from "./directory/directory.ts";
import { keepInsides } from "./insides.ts";
import { Database } from "./postgres/client/database.ts";
import { migrate } from "./postgres/client/migrate.ts";
import { checkPostgres, type PostgresOptions, type Transaction } from "./postgres/client/options.ts";
import { runTransaction } from "./postgres/client/transaction.ts";
import type { QueueOptions } from "./queue/options.ts";
import type { Queue } from "./queue/queue.ts";
import { Queues } from "./queue/queues.ts";
import { Door } from "./runtime/door.ts";
import { silentLogger, type Logger } from "./runtime/logger.ts";
import { checkName } from "./runtime/names.ts";
import { checkOptionNames } from "./runtime/options.ts";
import { createSeam } from "./runtime/probe.ts";
import { compareIds } from "./stream/entry-id.ts";
import type { StreamOptions } from "./stream/options.ts";
import type { Stream } from "./stream/stream.ts";
import { Streams } from "./stream/streams.ts";
import { ValkeyConnection } from "./valkey/client/connection.ts";
import { warnOfEviction } from "./valkey/client/eviction.ts";
import { toTarget, type ValkeyOptions, type ValkeyTarget } from "./valkey/client/options.ts";
import { StreamTails } from "./valkey/client/stream-tails.ts";
import type { Rehearsal } from "./work/shift-parts.ts";
import { createSubscriptions } from "./valkey/channel/create-subscriptions.ts";

export interface KeylineOptions {
  readonly valkey: ValkeyOptions;
  /** Needed for transactional queues and streams; without it Keyline never loads `pg`. */
  readonly postgres?: PostgresOptions;
  /** The beginning of every key. Default `kl`. */
  readonly prefix?: string;
  /** Default: silent. pino's loggers fit. */
  readonly logger?: Logger;
}

type Plain = { readonly transactional?: false };
type WithRecord = { readonly transactional: true };
type Rules = Omit<QueueOptions, "schema" | "transactional">;
type StreamRules<Event> = Omit<StreamOptions<Event, Event>, "schema" | "transactional">;
type WithSchema<Input, Output> = { readonly schema: StandardSchemaV1<Input, Output> };

const optionNames = new Set(["valkey", "postgres", "prefix", "logger"]);
// An answer to a command that does not block takes milliseconds.
const silenceMs = 5_000;

/**
 * The connections to one Valkey and, if you give one, one PostgreSQL; and everything that is built on them. While nothing is under way and nobody works,
 * subscribes or follows, it does not keep the process alive.
 */
export class Keyline {
  readonly #target: ValkeyTarget;
  /** The beginning of every key. */
  readonly prefix: string;
  /** What people did with the help of tools: written down before an act begins. */
  readonly audit: Audit;
  /** What there is behind the prefix: queues, streams and channels, whichever process uses them. */
  readonly directory: Directory;
  readonly #logger: Logger;
  readonly #commands: ValkeyConnection;
  readonly #database: Database | undefined;
  readonly #tails: StreamTails;
  readonly #queues: Queues;
  readonly #channels: Channels;
  readonly #streams: Streams;
  readonly #door = new Door();
  #closing: Promise<void> | undefined;

  /** Connects in the background, and again whenever a connection breaks. Throws INVALID_OPTION. */
  constructor(options: KeylineOptions);
  /** @internal */
  constructor(options: KeylineOptions, rehearsal: Rehearsal);
  constructor(options: KeylineOptions, rehearsal?: Rehearsal) {
    checkOptionNames("new Keyline", options, optionNames);
    const { valkey, postgres, prefix = "kl", logger = silentLogger } = options;
    this.#target = toTarget(valkey);
    if (postgres !== undefined) checkPostgres(postgres);
    this.prefix = checkName("prefix", prefix);
    this.#logger = logger;
    this.#commands = this.#connect(silenceMs);
    if (logger !== silentLogger) warnOfEviction(this.#commands, logger);
    if (postgres !== undefined) this.#database = new Database(postgres, logger);
    this.#tails = new StreamTails({
      isCluster: this.#commands.isCluster,
      commands: this.#commands,
      connect: (blockMs) => this.#connect(blockMs + 2_000),
      isBefore: (a, b) => compareIds(a, b) < 0,
      logger,
    });
    const shared = {
      prefix: this.prefix,
      commands: this.#commands,
      logger,
      // The answer comes when the block time is over; two seconds later it is overdue.
      connect: (blockMs: number) => this.#connect(blockMs + 2_000),
      requireDatabase: (what: string) => this.#requireDatabase(what),
      database: this.#database,
      record: this.#database ?? new Database(undefined, logger),
      door: this.#door,
      seam: createSeam(this),
      tails: this.#tails,
      rehearsal,
    };
    this.audit = createAudit(shared);
    this.#queues = new Queues(shared);
    this.#channels = new Channels({
      ...shared,
      createSubscriptions: () => createSubscriptions(this.#target, { prefix: this.prefix, commands: this.#commands, logger, silenceMs }),
    });
    this.#streams = new Streams(shared);
    const shapes = { queues: this.#queues, streams: this.#streams, channels: this.#channels };
    this.directory = new Directory({ ...shapes, database: this.#database, door: this.#door, logger });
    if (rehearsal) keepInsides(this, { queues: this.#queues, streams: this.#streams, commands: this.#commands, database: this.#database });
  }

  /**
   * The queue of that name: always the same object in one Keyline, if the options are the same or left out. With `transactional: true` its jobs are rows in PostgreSQL until they
   * are settled. Throws INVALID_NAME, INVALID_OPTION, and POSTGRES_REQUIRED for a transactional queue without `postgres`.
   */
  queue<Data = unknown>(name: string, options?: Rules & Plain): Queue<Data>;
  queue<Data = unknown>(name: string, options: Rules & WithRecord): Queue<Data, Data, true>;
  queue<Input, Output>(name: string, options: Rules & Plain & WithSchema<Input, Output>): Queue<Input, Output>;
  queue<Input, Output>(name: string, options: Rules & WithRecord & WithSchema<Input, Output>): Queue<Input, Output, true>;
  queue(name: string, options: QueueOptions = {}): Queue<unknown, unknown, boolean> {
    this.#door.check();
    return this.#queues.queue(name, options);
  }

  /**
   * The channel of that name: always the same object in one Keyline, if the options are the same or left out. Throws INVALID_NAME and INVALID_OPTION.
   *
   * @example
   * const news = keyline.channel("tech_news", { schema: PostSchema, history: { size: 1_000 } });
   */
  channel<Data = unknown>(name: string, options?: Omit<ChannelOptions, "schema">): Channel<Data>;
  channel<Input, Output>(name: string, options: Omit<ChannelOptions, "schema"> & WithSchema<Input, Output>): Channel<Input, Output>;
  channel(name: string, options: ChannelOptions = {}): Channel<unknown> {
    this.#door.check();
    return this.#channels.channel(name, options);
  }

  /** All channels whose names match the pattern, such as `weather.*`. Throws INVALID_NAME. */
  channels(pattern: string): ChannelPattern {
    this.#door.check();
    return this.#channels.channels(pattern);
  }

  /**
   * The stream of that name: always the same object in one Keyline, if the options are the same or left out. With `transactional: true` PostgreSQL has the record of every event.
   * Throws INVALID_NAME, INVALID_OPTION, and POSTGRES_REQUIRED for a transactional stream without `postgres`.
   *
   * @example
   * const reviews = keyline.stream("Reviews", { schema: ReviewEvent, key: (event) => String(event.reviewId), transactional: true });
   */
  stream<Input, Output>(name: string, options: StreamRules<Output> & Plain & WithSchema<Input, Output>): Stream<Input, Output>;
  stream<Input, Output>(name: string, options: StreamRules<Output> & WithRecord & WithSchema<Input, Output>): Stream<Input, Output, true>;
  stream<Data = unknown>(name: string, options?: StreamRules<Data> & Plain): Stream<Data>;
  stream<Data = unknown>(name: string, options: StreamRules<Data> & WithRecord): Stream<Data, Data, true>;
  stream(name: string, options: StreamOptions = {}): Stream<unknown, unknown, boolean> {
    this.#door.check();
    return this.#streams.stream(name, options);
  }

  /**
   * Runs a command on Valkey that Keyline does not offer itself. On a cluster its first key decides on which node. Never send one that blocks:
   * everything else would wait for it. Throws VALKEY_UNAVAILABLE when it could not be sent, and the server's own errors.
   *
   * @example
   * await keyline.command("SET", "greeting", "hello", "PX", 1_000);
   */
  async command(name: string, ...values: readonly (string | number)[]): Promise<unknown> {
    return this.#door.accept(async () => {
      await this.#commands.ensureReady(silenceMs);
      return this.#commands.client.call(name, ...values);
    });
  }

  /**
   * Runs `work` inside a PostgreSQL transaction: BEGIN before it, COMMIT after it, ROLLBACK when it throws. What is added with
   * `{ tx }` goes out after the COMMIT and never otherwise. Resolves when the commit is done, whatever Valkey does.
   *
   * @example
   * await keyline.transaction(async (tx) => {
   *   const { rows } = await tx.query("INSERT INTO orders (order_details) VALUES ($1) RETURNING order_id", ["a lamp"]);
   *   await orders.add({ orderId: rows[0].order_id }, { tx });
   * });
   */
  transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    this.#door.check();
    const database = this.#requireDatabase("keyline.transaction");
    return this.#door.accept(() => runTransaction(database, work));
  }

  /** How both stores are, as this process sees them, and what endangers data or speed. Bounded; a store that is away, or refuses to tell, is told of and not thrown. */
  health(): Promise<Health> {
    return this.#door.accept(() => readHealth({ commands: this.#commands, prefix: this.prefix, database: this.#database }));
  }

  /** Creates or upgrades the schema `keyline` in the database. Safe to call from many processes at once, and at every start. */
  migrate(): Promise<void> {
    this.#door.check();
    const database = this.#requireDatabase("keyline.migrate");
    return this.#door.accept(() => migrate(database));
  }

  /**
   * Stops all workers (see `worker.stop`), consumers and projections, waits for calls made before, then closes the connections. Later calls
   * throw CLOSED, except those of handlers that still run.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For `await using keyline = new Keyline(...)`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#door.close();
    if (this.#queues.areWorking || this.#streams.areWorking) {
      await Promise.all([this.#queues.stopWorking(), this.#streams.stopWorking()]);
    }
    await this.#door.shut();
    await this.#queues.drained();
    await this.#channels.close();
    await this.#streams.close();
    await this.#queues.close();
    this.#tails.close();
    this.#commands.close();
    await this.#database?.close();
  }

  #connect(silence: number): ValkeyConnection {
    return new ValkeyConnection(this.#target, { logger: this.#logger, silenceMs: silence });
  }

  #requireDatabase(what: string): Database {
    return Database.given(this.#database, what);
  }
}
