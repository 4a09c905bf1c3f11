import type { PoolClient, QueryConfig, QueryResultRow } from "pg";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { withoutPassword, type Logger } from "../../runtime/logger.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { Availability } from "./availability.ts";
import { Connections, type PoolLoad } from "./connections.ts";
import {
  asUnsent,
  inOurWords,
  isAnswer,
  isAnswerLost,
  isConflict,
  isReadOnly,
  isServers,
  isUnavailable,
  postgresRequired,
} from "./failures.ts";
import type { PostgresOptions } from "./options.ts";
import { checkServer } from "./server-check.ts";
import { StatementForgotten, StatementNames, type Statement } from "./statement.ts";

// The server forgets its statistics in a crash, and says since when it counts.
const readCrash: Statement = { name: "keyline-last-crash", isQuick: true, text: "SELECT stats_reset::text AS since FROM pg_stat_bgwriter" };

const mostTries = 10;

/** PostgreSQL, as Keyline's own statements and transactions see it. */
export class Database {
  readonly #connections: Connections;
  readonly #availability: Availability;
  readonly #names: StatementNames;
  readonly #closing = new AbortController();
  /** Names the time since the server's last crash; undefined while it is not known. */
  #crash: Promise<string> | undefined;
  #knownCrash: string | undefined;
  /** The server was asked once whether it is new enough. */
  #isChecked = false;
  /** What was known of it when a client was taken out of the pool. */
  readonly #crashes = new WeakMap<object, string | undefined>();

  /** Nobody has said where it is: whatever is asked of it throws POSTGRES_REQUIRED. */
  readonly isNowhere: boolean;

  constructor(options: PostgresOptions | undefined, logger: Logger) {
    this.isNowhere = options === undefined;
    this.#connections = new Connections(options, { broke: (error) => void (isUnavailable(error) && this.#noteOutage(error)) });
    this.#availability = new Availability(this.#connections, { logger, closing: this.#closing.signal, isThere: !this.isNowhere });
    this.#names = new StatementNames(logger);
  }

  /** The database where there is one. Throws POSTGRES_REQUIRED. */
  static given(database: Database | undefined, what: string): Database {
    if (database) return database;
    throw postgresRequired(what);
  }

  get isAvailable(): boolean {
    return this.#availability.isAvailable;
  }

  /** Throws POSTGRES_REQUIRED where nobody has said where it is, for what would begin without asking it. */
  require(): void {
    if (this.isNowhere) throw postgresRequired("What is transactional");
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * The rows. A statement is sent again where it is known not to have taken effect: after a conflict, as under SERIALIZABLE, and where the session has
   * forgotten it. Throws POSTGRES_UNAVAILABLE when it is not known whether it took effect, or it could not be sent (`isAnswerLost` knows which);
   * POSTGRES_BUSY and POSTGRES_READ_ONLY, when it did not; and NOT_MIGRATED without the schema.
   */
  async query<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    for (let tries = 1; ; tries++) {
      const client = await this.#take();
      let isClean = true;
      try {
        const { rows } = await client.query<Row>(this.#names.query(statement, values));
        return rows;
      } catch (error) {
        isClean = isAnswer(error);
        const explained = this.explain(error, client);
        const isForgotten = explained instanceof StatementForgotten;
        if (tries === mostTries || !(isForgotten || isConflict(explained))) throw explained;
        if (!isForgotten) await delay(retryDelay(tries, { first: 5, max: 200 }));
      } finally {
        this.#connections.release(client, isClean);
      }
    }
  }

  /** A statement as it is to be sent on a client of one's own. */
  prepared(statement: Statement, values: readonly unknown[]): QueryConfig {
    return this.#names.query(statement, values);
  }

  /** A connection of its own until it is released. */
  async connect(): Promise<PoolClient> {
    // Known before a transaction has an id, or not at all.
    if (this.#knownCrash === undefined) await this.#learnCrash();
    const client = await this.#take();
    this.#crashes.set(client, this.#knownCrash);
    return client;
  }

  /** Gives a connection back. One that is not clean is ended. */
  release(client: PoolClient, isClean: boolean): void {
    this.#connections.release(client, isClean);
  }

  /**
   * Whether the server is known not to have crashed since `client` was taken out of the pool. What a transaction did that was not durable in a crash is gone,
   * and its id may be given once more.
   */
  async hasNotCrashedSince(client: object): Promise<boolean> {
    const before = this.#crashes.get(client);
    return before !== undefined && (await this.#readCrash()) === before;
  }

  /**
   * The error of what was sent on `client`, one of `connect`'s, in Keyline's words where there are any. What is wrong with the server is noted, so that
   * `whenAvailable` waits for its end; what is wrong with the session ends it when it is released.
   */
  explain(thrown: unknown, client: object): Error {
    // What comes after a connection has broken only says that it has.
    const isVague = thrown instanceof KeylineError ? isAnswerLost(thrown) : isUnavailable(thrown) && !isServers(thrown);
    const cause = (isVague && this.#connections.breakOf(client)) || toError(thrown);
    if (cause instanceof KeylineError) return cause;
    if (this.#names.noteFailure(cause)) {
      this.#connections.spoil(client);
      return new StatementForgotten(cause.message, { cause });
    }
    if (isReadOnly(cause)) this.#connections.spoil(client);
    if (isReadOnly(cause) || isUnavailable(cause)) this.#noteOutage(cause);
    return inOurWords(cause);
  }

  /** Resolves when PostgreSQL answers and takes writes, or when `signal` or the end of this Keyline says not to wait. With `mayEnd` the process may end meanwhile. */
  whenAvailable(signal?: AbortSignal, how?: { readonly mayEnd: boolean }): Promise<void> {
    return this.#availability.wait(signal, how);
  }

  poolLoad(): Promise<PoolLoad> {
    return this.#connections.load();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connections.close();
  }

  async #take(): Promise<PoolClient> {
    try {
      const client = await this.#connections.take();
      if (!this.#isChecked) await this.#check(client);
      return client;
    } catch (error) {
      if (error instanceof KeylineError) throw error;
      if (this.isClosing) throw new KeylineError("CLOSED", "This Keyline was closed: make a new one", { cause: error });
      this.#noteOutage(error);
      const why = withoutPassword(toError(error).message);
      throw asUnsent(
        new KeylineError(
          "POSTGRES_UNAVAILABLE",
          `There is no connection to PostgreSQL (${why}): nothing was sent; check that it runs, and that address, user and password are right`,
          { cause: error },
        ),
      );
    }
  }

  async #check(client: PoolClient): Promise<void> {
    try {
      await checkServer(client);
      this.#isChecked = true;
    } finally {
      if (!this.#isChecked) this.#connections.release(client, false);
    }
  }

  async #learnCrash(): Promise<void> {
    this.#crash ??= this.#readCrash();
    const asked = this.#crash;
    const crash = await asked.catch(() => undefined);
    // An outage that was noticed meanwhile makes it worthless.
    if (this.#crash !== asked) return;
    this.#knownCrash = crash;
    if (crash === undefined) this.#crash = undefined;
  }

  async #readCrash(): Promise<string> {
    const [row] = await this.query<{ since: string | null }>(readCrash, []);
    return row?.since ?? "";
  }

  #noteOutage(error: unknown): void {
    if (!this.#availability.noteOutage(error)) return;
    this.#crash = undefined;
    this.#knownCrash = undefined;
  }
}
