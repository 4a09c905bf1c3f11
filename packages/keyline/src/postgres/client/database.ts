import type { Pool, PoolClient, PoolConfig, QueryConfig, QueryResultRow } from "pg";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { withoutPassword, type Logger } from "../../runtime/logger.ts";
import { checkInteger } from "../../runtime/options.ts";
import { delay, Notice, retryDelay } from "../../runtime/waiting.ts";
import { isNotMigrated, isUnavailable } from "./failures.ts";
import { isPool, type PostgresOptions } from "./options.ts";

/** A statement of Keyline's own: prepared once on each connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** A statement of Keyline's own with a deadline, for a connection that may be half open. */
export function timed(query: QueryConfig): QueryConfig {
  const config: TimedQuery = { ...query, query_timeout: answerWithinMs };
  return config;
}

interface TimedQuery extends QueryConfig {
  /** Milliseconds after which `pg` gives up. Its types do not know it yet. */
  readonly query_timeout: number;
}

// The server forgets its statistics in a crash, and says since when it counts.
const readCrash: Statement = { name: "keyline-last-crash", text: "SELECT stats_reset::text AS since FROM pg_stat_bgwriter" };

// An answer that takes longer than this is not coming: the peer is gone and no reset came, or the server hangs.
const answerWithinMs = 30_000;

/**
 * The connections to PostgreSQL, and whether it is there: after a failure nobody asks it for more until it answers again,
 * which one probe finds out for all.
 */
export class Database {
  readonly #pool: Promise<Pool>;
  readonly #ownsPool: boolean;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #available = new Notice();
  #isAvailable = true;
  /** Names the time since the server's last crash; undefined while it is not known. */
  #crash: Promise<string> | undefined;
  #knownCrash: string | undefined;
  /** What was known of it when a client was taken out of the pool. */
  readonly #crashes = new WeakMap<object, string | undefined>();

  constructor(options: PostgresOptions, logger: Logger) {
    this.#logger = logger;
    this.#ownsPool = !isPool(options);
    checkPoolSize(options);
    this.#pool = isPool(options) ? Promise.resolve(options) : this.#createPool(options);
    this.#pool.catch(() => undefined); // Whoever asks first gets the error.
  }

  get isAvailable(): boolean {
    return this.#isAvailable;
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The rows. Throws POSTGRES_UNAVAILABLE when it is not known whether the statement took effect, NOT_MIGRATED without the schema. */
  async query<Row extends QueryResultRow>({ name, text }: Statement, values: readonly unknown[]): Promise<Row[]> {
    const pool = await this.#pool;
    const query = timed({ name, text, values: [...values] });
    for (;;) {
      try {
        const { rows } = await pool.query<Row>(query);
        return rows;
      } catch (error) {
        if (!isBusy(pool, error)) throw this.explain(error);
      }
    }
  }

  /** A connection of its own until it is released; `release(error)` ends it. */
  async connect(): Promise<PoolClient> {
    const pool = await this.#pool;
    // Known before a transaction has an id, or not at all.
    if (this.#knownCrash === undefined) await this.#learnCrash();
    for (;;) {
      try {
        const client = await pool.connect();
        // A connection that breaks while it is out of the pool says so by an event, which ends the process when nobody listens.
        if (client.listenerCount("error") === 0) client.on("error", (error) => this.explain(error));
        this.#crashes.set(client, this.#knownCrash);
        return client;
      } catch (error) {
        if (!isBusy(pool, error)) throw this.explain(error);
      }
    }
  }

  /**
   * Whether the server is known not to have crashed since `client` was taken out of the pool. What a transaction did that was not durable in a crash is gone,
   * and its id may be given once more.
   */
  async hasNotCrashedSince(client: object): Promise<boolean> {
    const before = this.#crashes.get(client);
    return before !== undefined && (await this.#readCrash()) === before;
  }

  /** The error in Keyline's words where there are any. An outage is noted, so that `whenAvailable` waits for its end. */
  explain(error: unknown): Error {
    if (error instanceof KeylineError) return error;
    if (isUnavailable(error)) {
      this.#noteOutage(error);
      const why = withoutPassword(toError(error).message);
      return new KeylineError(
        "POSTGRES_UNAVAILABLE",
        `PostgreSQL did not answer (${why}): check that it runs and that the address is right`,
        {
          cause: error,
        },
      );
    }
    if (isNotMigrated(error)) {
      return new KeylineError(
        "NOT_MIGRATED",
        "The schema keyline is not in this database, or is of an older version: call keyline.migrate() once",
        {
          cause: error,
        },
      );
    }
    return toError(error);
  }

  /** Resolves when PostgreSQL answers, or when `signal` or the end of this Keyline says not to wait. */
  async whenAvailable(signal?: AbortSignal): Promise<void> {
    while (!this.#isAvailable && !signal?.aborted && !this.#closing.signal.aborted) {
      await this.#available.wait(1_000, signal);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#available.notify();
    const pool = await this.#pool.catch(() => undefined);
    if (this.#ownsPool) await pool?.end();
  }

  async #createPool(options: string | PoolConfig): Promise<Pool> {
    const pg = await importPg();
    const config = typeof options === "string" ? { connectionString: options } : options;
    const pool = new pg.Pool({
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      application_name: "keyline",
      // BEGIN and the first statement travel together, and so do a transaction's independent statements.
      pipeline: true,
      ...config,
    });
    pool.on("error", (error) => this.explain(error));
    return pool;
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
    if (!this.#isAvailable || this.#closing.signal.aborted) return;
    this.#isAvailable = false;
    this.#crash = undefined;
    this.#knownCrash = undefined;
    this.#logger.warn({ error: withoutPassword(toError(error).message) }, "PostgreSQL is away; transactional queues wait for it");
    void this.#probe();
  }

  async #probe(): Promise<void> {
    const pool = await this.#pool;
    for (let tries = 0; !this.#closing.signal.aborted; tries++) {
      await delay(retryDelay(tries, { first: 50, max: 1_000 }), this.#closing.signal);
      try {
        const query: TimedQuery = { text: "SELECT 1", query_timeout: 2_000 };
        await pool.query(query);
        break;
      } catch (error) {
        this.#logger.debug({ error: toError(error).message }, "PostgreSQL is still away");
      }
    }
    this.#isAvailable = true;
    this.#available.notify();
    if (!this.#closing.signal.aborted) this.#logger.info({}, "PostgreSQL is back");
  }
}

// The rebuild reads on one connection and notes on another.
function checkPoolSize(options: PostgresOptions): void {
  const max = isPool(options) ? options.options.max : typeof options === "string" ? undefined : options.max;
  if (max !== undefined) checkInteger("postgres.max, the size of the pool,", max, { min: 2 });
}

// The pool's own deadline for a connection also ends the wait for one that others use: that is no outage.
function isBusy(pool: Pool, error: unknown): boolean {
  const isTimeout = error instanceof Error && error.message.startsWith("timeout exceeded when trying to connect");
  return isTimeout && pool.totalCount >= (pool.options.max ?? 10) && pool.idleCount === 0 && !pool.ending;
}

async function importPg(): Promise<{ readonly Pool: typeof Pool }> {
  try {
    // A CommonJS module: its names are on the default export.
    return (await import("pg")).default;
  } catch (cause) {
    throw new KeylineError("POSTGRES_REQUIRED", "The package pg is not installed: run npm install pg", { cause });
  }
}
