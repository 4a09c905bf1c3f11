import type { EventTable } from "../postgres/event/event-table.ts";
import { checkFunction } from "../runtime/options.ts";
import { KeylineError } from "../runtime/errors.ts";
import { checkId } from "../runtime/names.ts";
import { Appends, type AppendsParts } from "./appends.ts";
import type { Entry } from "./entry.ts";
import { idBefore, toEntryId } from "./entry-id.ts";
import type { EntryReader } from "./entry-reader.ts";
import { follow, type FollowerParts } from "./follower.ts";
import { iterateRange } from "./iterate-range.ts";
import {
  checkFollowOptions,
  checkHistoryOptions,
  checkKey,
  checkReadOptions,
  type AppendOptions,
  type AppendResult,
  type FollowOptions,
  type HistoryOptions,
  type ReadOptions,
  type TransactionalAppendOptions,
} from "./options.ts";
import type { Consumer } from "./group/consumer.ts";
import type { Group, GroupStatus } from "./group/group.ts";
import type { Groups } from "./group/groups.ts";
import type { ConsumeOptions } from "./group/options.ts";
import type { ConsumeHandler, PlainConsumeHandler } from "./group/entry-settle.ts";
import type { Figures, RatesOptions } from "../figures/figures.ts";
import type { Projection } from "./projection.ts";
import type { ProjectionHandler, ProjectOptions } from "./projection-options.ts";
import type { Reading, StreamInfo } from "./reading.ts";
import { readStreamRates, type StreamRates } from "./stream-rates.ts";
import { asRead } from "../valkey/client/as-read.ts";

/** What `Streams` gives a stream to work with. */
export interface StreamParts extends AppendsParts {
  /** Only on a transactional stream. */
  readonly table: EventTable | undefined;
  readonly reading: Reading;
  readonly reader: EntryReader<unknown>;
  readonly figures: Figures;
  readonly following: FollowerParts<unknown>;
  readonly groups: Groups;
  project(name: string, handler: ProjectionHandler<unknown>, options: ProjectOptions): Projection<unknown>;
}

type AppendOptionsOf<Transactional extends boolean> = Transactional extends true ? TransactionalAppendOptions : AppendOptions;
// Of a stream of which it is not known a handler may settle.
type ConsumeHandlerOf<Data, Transactional extends boolean> = [Transactional] extends [false]
  ? PlainConsumeHandler<Data>
  : ConsumeHandler<Data>;

const noOptions = {};

/** What has happened, kept, to be read at any time. */
export class Stream<Input, Output = Input, Transactional extends boolean = false> {
  readonly name: string;
  readonly #parts: StreamParts;
  readonly #appends: Appends;

  /** @internal */
  constructor(name: string, parts: StreamParts) {
    this.name = name;
    this.#parts = parts;
    this.#appends = new Appends(name, parts);
  }

  /**
   * Appends an event at the end. On a plain stream it is there when this resolves, as durable as Valkey is. On a transactional stream it
   * is committed then; with `tx` it is committed with that transaction, or never.
   *
   * Throws, before anything is sent, ValidationError, INVALID_KEY, NOT_SERIALIZABLE, FORBIDDEN_KEY, PAYLOAD_TOO_LARGE or INVALID_OPTION; and
   * VALKEY_UNAVAILABLE or POSTGRES_UNAVAILABLE when the store could not be reached, OUTCOME_UNKNOWN when its answer got lost.
   *
   * @example
   * const { id } = await reviews.append({ reviewId: 42, action: "review" });
   */
  append(event: Input, options?: AppendOptionsOf<Transactional>): Promise<AppendResult>;
  append(event: Input, options?: TransactionalAppendOptions): Promise<AppendResult> {
    return this.#appends.append(event, options);
  }

  /**
   * Appends events in one step, in this order: all of them or none.
   *
   * @example
   * await reviews.appendMany([{ reviewId: 42, action: "review" }, { reviewId: 42, action: "reaction" }]);
   */
  appendMany(events: readonly Input[], options?: Omit<AppendOptionsOf<Transactional>, "idempotencyKey">): Promise<AppendResult[]>;
  appendMany(events: readonly Input[], options?: Pick<TransactionalAppendOptions, "tx">): Promise<AppendResult[]> {
    return this.#appends.appendMany(events, options);
  }

  /**
   * Reads what is there, page by page as it is iterated. Throws INVALID_ID and INVALID_OPTION at once.
   *
   * @example
   * for await (const entry of reviews.read({ from: yesterday, limit: 100 })) console.log(entry.id, entry.data);
   */
  read(options: ReadOptions = noOptions): AsyncIterable<Entry<Output>> {
    this.#parts.door.check();
    checkReadOptions(options);
    const { from = "-", to = "+", limit = Infinity, reverse = false, key } = options;
    if (key !== undefined) this.#checkHasKeys(key);
    const range = { after: idBefore(toEntryId("from", from, "first")), to: toEntryId("to", to, "last"), key, limit, reverse };
    return iterateRange(this.#parts, range) as AsyncIterable<Entry<Output>>;
  }

  /**
   * Reads from a place onwards, and goes on with new entries, without a gap or a duplicate, until `signal` is aborted or the loop is left. Entries
   * that are gone are announced by `onGap`, or thrown as GAP. Throws INVALID_ID and INVALID_OPTION at once.
   *
   * @example
   * for await (const entry of reviews.follow({ after: lastId, signal })) console.log(entry.id, entry.data);
   */
  follow(options: FollowOptions = noOptions): AsyncIterable<Entry<Output>> {
    this.#parts.door.checkOpen();
    checkFollowOptions(options);
    if (options.after !== undefined) toEntryId("after", options.after, "last");
    return follow(this.#parts.following as FollowerParts<Output>, options);
  }

  /**
   * All entries of one key, oldest first, at a cost that depends on the entries of that key only.
   *
   * @example
   * const history = await reviews.history("42");
   */
  history(key: string, options: HistoryOptions = noOptions): Promise<Entry<Output>[]> {
    return this.#parts.door.accept(() => asRead(this.#history(key, options)));
  }

  async #history(key: string, options: HistoryOptions): Promise<Entry<Output>[]> {
    checkHistoryOptions(options);
    this.#checkHasKeys(key);
    const { limit = Infinity, reverse = false } = options;
    const entries = await this.#parts.reading.history(key, { limit, reverse });
    return (await this.#parts.reader.receiveAll(entries)) as Entry<Output>[];
  }

  /**
   * Runs `handler` for each entry, in the name of a consumer group: each entry goes to one of the group's consumers, and to every group.
   * `concurrency` (default 1) entries run at a time; those of one key one after the other, on any process. When a handler returns, its entry is
   * finished; when it throws, the entry is tried again, for this group alone, up to `maxAttempts`. Effects in PostgreSQL happen exactly once on a
   * transactional stream, when they are written in `settle`. Throws INVALID_NAME and INVALID_OPTION.
   *
   * @example
   * const consumer = reviews.consume("mailer", async (entry) => send(entry.data), { concurrency: 10 });
   */
  consume(group: string, handler: ConsumeHandlerOf<Output, Transactional>, options: ConsumeOptions = noOptions): Consumer<Output> {
    checkFunction("The handler of consume", handler);
    return this.#parts.groups.consume(group, handler, options);
  }

  /** How many entries there are, and which is the first and the last. */
  info(): Promise<StreamInfo> {
    return this.#parts.door.accept(() => asRead(this.#parts.reading.info()));
  }

  /**
   * How many entries were appended, consumed, tried in vain and dead: minute by minute, of the last hour or of as many `minutes`, up to two days, or by `hours`, up to ninety days. Every process writes
   * it down every few seconds. Throws INVALID_OPTION and VALKEY_UNAVAILABLE.
   */
  rates(options: RatesOptions = noOptions): Promise<StreamRates> {
    return this.#parts.door.accept(() => asRead(readStreamRates(this.#parts.figures, options)));
  }

  /** All consumer groups: how far each is, and what it has under way. */
  groups(): Promise<GroupStatus[]> {
    return this.#parts.groups.status();
  }

  /** One consumer group: its status, its dead letters, and how to redrive or remove it. Throws INVALID_NAME. */
  group(name: string): Group {
    return this.#parts.groups.group(name);
  }

  /**
   * Keeps a table from the stream: `handler` writes the result of a page of entries, and the position moves on in the same transaction, so
   * every entry takes effect exactly once. Any number of processes may do so; one of them works at a time. Throws POSTGRES_REQUIRED,
   * INVALID_NAME and INVALID_OPTION.
   *
   * @example
   * const counts = reviews.project("reaction_counts", async (tx, entries) => {
   *   for (const { data } of entries) await tx.query("UPDATE reaction_counts SET reactions = reactions + 1 WHERE review_id = $1", [data.reviewId]);
   * });
   */
  project(name: string, handler: ProjectionHandler<Output>, options: ProjectOptions = noOptions): Projection<Output> {
    this.#parts.door.checkOpen();
    checkFunction("The handler of project", handler);
    return this.#parts.project(name, handler as ProjectionHandler<unknown>, options) as Projection<Output>;
  }

  /**
   * The entry of an event that was appended within a transaction, by the id that `append` gave; undefined as long as that has not
   * committed, or when there is none. Throws NOT_TRANSACTIONAL on a plain stream.
   */
  find(rowId: string): Promise<Entry<Output> | undefined> {
    return this.#parts.door.accept(() => this.#find(rowId));
  }

  async #find(rowId: string): Promise<Entry<Output> | undefined> {
    const { table } = this.#parts;
    if (!table) throw new KeylineError("NOT_TRANSACTIONAL", `Stream ${this.name} is not transactional: its entries have no other id`);
    const id = await table.findRow(checkId(rowId, "an event"));
    if (id === undefined) return undefined;
    const [entry] = await this.#parts.reader.readAll(await table.find([id]));
    return entry as Entry<Output> | undefined;
  }

  #checkHasKeys(key: string): void {
    checkKey("The key of a history", key);
    if (this.#parts.rules.key) return;
    throw new KeylineError("INVALID_OPTION", `Stream ${this.name} has no key to look for: make it with { key: (event) => ... }`);
  }
}
