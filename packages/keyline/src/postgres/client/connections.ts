/*
 * DESIGN. Whoever waits for a connection may hold one already: an add within keyline.transaction that was not given its tx waits for a second one, and where all
 * transactions do so none ever ends. The pool cannot know. So nobody waits for ever: as long as the pool's connections change hands a wait goes
 * on, however long the queue is; when none has for as long as the pool's deadline for a connection, the wait ends with POSTGRES_BUSY.
 */
import type { Pool, PoolClient, PoolConfig } from "pg";
import { clearTimeout, setTimeout } from "../../runtime/clock.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { checkInteger } from "../../runtime/options.ts";
import { asUnsent, postgresRequired } from "./failures.ts";
import { isPool, type PostgresOptions } from "./options.ts";

const patienceMs = 10_000;

interface ConnectionEvents {
  /** A connection broke, in the pool or out of it. */
  broke(error: Error): void;
}

export interface PoolLoad {
  readonly size: number;
  readonly busy: number;
  readonly waiting: number;
}

/** The connections to PostgreSQL: a pool of our own, or the caller's. */
export class Connections {
  readonly #pool: Promise<Pool>;
  readonly #ownsPool: boolean;
  readonly #events: ConnectionEvents;
  /** Why a connection cannot be used again: the first error is the true one. */
  readonly #broken = new WeakMap<object, Error>();
  readonly #known = new WeakSet<object>();
  readonly #spoiled = new WeakSet<object>();
  /** How often a connection has been taken out of the pool. */
  #moves = 0;
  readonly #noteMove = (): void => void this.#moves++;
  readonly #noteBroken = (error: Error): void => this.#events.broke(error);

  /** Without options nobody has said where the server is. */
  constructor(options: PostgresOptions | undefined, events: ConnectionEvents) {
    this.#events = events;
    this.#ownsPool = options === undefined || !isPool(options);
    if (options === undefined) this.#pool = Promise.reject(postgresRequired("What is transactional"));
    else {
      checkPoolSize(options);
      this.#pool = isPool(options) ? Promise.resolve(options) : createPool(options);
    }
    this.#pool.then(
      // An idle connection that breaks says so by an event of the pool, which ends the process when nobody listens.
      (pool) => pool.on("error", this.#noteBroken).on("acquire", this.#noteMove),
      () => undefined, // Whoever asks first gets the error.
    );
  }

  /** A connection of one's own until it is released. Nothing was sent when this throws. */
  async take(): Promise<PoolClient> {
    const pool = await this.#pool;
    const client = await (hasRoom(pool) ? this.#connect(pool) : this.#awaitTurn(pool));
    const broke = this.#broken.get(client);
    if (broke === undefined) return client;
    this.release(client, false);
    throw broke;
  }

  /** Gives it back; one that is not clean, or was spoiled, is ended. */
  release(client: PoolClient, isClean: boolean): void {
    client.release(!isClean || this.#spoiled.has(client));
  }

  /** What is wrong with its session is wrong for whoever comes next: it is ended when it is released. */
  spoil(client: object): void {
    this.#spoiled.add(client);
  }

  /** The error by which the connection broke; undefined when it did not. */
  breakOf(client: object): Error | undefined {
    return this.#broken.get(client);
  }

  /** How large the pool may become, how many connections are in use, and how many callers wait for one. */
  async load(): Promise<PoolLoad> {
    const pool = await this.#pool;
    return { size: mostOf(pool), busy: pool.totalCount - pool.idleCount, waiting: pool.waitingCount };
  }

  async close(): Promise<void> {
    const pool = await this.#pool.catch(() => undefined);
    if (this.#ownsPool) await pool?.end();
    else pool?.off("error", this.#noteBroken).off("acquire", this.#noteMove);
  }

  /** The packet that makes a connection ready may bring its end too, which nobody hears who is told by a promise. */
  #connect(pool: Pool): Promise<PoolClient> {
    return new Promise((resolve, reject) => {
      pool.connect((error, client) => {
        if (client === undefined) return reject(toError(error));
        this.#hear(client);
        resolve(client);
      });
    });
  }

  /** One that breaks while it is out of the pool says so itself, and the pool does not listen then. */
  #hear(client: PoolClient): void {
    if (this.#known.has(client)) return;
    this.#known.add(client);
    client.on("error", (error) => {
      if (this.#broken.has(client)) return;
      this.#broken.set(client, error);
      this.#events.broke(error);
    });
  }

  async #awaitTurn(pool: Pool): Promise<PoolClient> {
    const ownMs = pool.options.connectionTimeoutMillis ?? 0;
    for (let turn = this.#connect(pool), moves = this.#moves; ; moves = this.#moves) {
      // A pool with a deadline of its own keeps the time itself.
      const client = await (ownMs > 0 ? unlessBusy(pool, turn) : withinPatience(turn));
      if (client instanceof Error) turn = this.#connect(pool);
      else if (client) return client;
      if (moves !== this.#moves) continue;
      // It may come all the same.
      turn.then(
        (late) => late.release(),
        () => undefined,
      );
      throw busy(pool, ownMs || patienceMs);
    }
  }
}

/** The client; an error when the pool's own deadline is over, which ended the wait. */
async function unlessBusy(pool: Pool, turn: Promise<PoolClient>): Promise<PoolClient | Error> {
  try {
    return await turn;
  } catch (error) {
    if (error instanceof Error && isBusy(pool, error)) return error;
    throw error;
  }
}

/** The client; undefined when it did not come in time. */
async function withinPatience(turn: Promise<PoolClient>): Promise<PoolClient | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, patienceMs);
  try {
    return await Promise.race([turn, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function busy(pool: Pool, withinMs: number): KeylineError {
  return asUnsent(
    new KeylineError(
      "POSTGRES_BUSY",
      `All ${mostOf(pool)} connections to PostgreSQL were in use, and none became free within ${withinMs} ms: nothing was sent. What is called within ` +
        "keyline.transaction or settle waits for a second connection unless you give it { tx }; else raise the pool's max",
    ),
  );
}

async function createPool(options: string | PoolConfig): Promise<Pool> {
  const pg = await importPg();
  const config = typeof options === "string" ? { connectionString: options } : options;
  return new pg.Pool({
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: "keyline",
    // An idle pool does not keep the process alive.
    allowExitOnIdle: true,
    // BEGIN and the first statement travel together, and so do a transaction's independent statements.
    pipeline: true,
    ...config,
  });
}

// The rebuild reads on one connection and notes on another.
function checkPoolSize(options: PostgresOptions): void {
  const max = isPool(options) ? options.options.max : typeof options === "string" ? undefined : options.max;
  if (max !== undefined) checkInteger("postgres.max, the size of the pool,", max, { min: 2 });
}

function mostOf(pool: Pool): number {
  return pool.options.max ?? 10;
}

function hasRoom(pool: Pool): boolean {
  return pool.ending || pool.idleCount + mostOf(pool) - pool.totalCount > pool.waitingCount;
}

// The pool's own deadline for a connection also ends the wait for one that others use: that is no outage.
function isBusy(pool: Pool, error: Error): boolean {
  const isTimeout = error.message.startsWith("timeout exceeded when trying to connect");
  return isTimeout && pool.totalCount >= mostOf(pool) && pool.idleCount === 0 && !pool.ending;
}

async function importPg(): Promise<{ readonly Pool: typeof Pool }> {
  try {
    // A CommonJS module: its names are on the default export.
    return (await import("pg")).default;
  } catch (cause) {
    throw new KeylineError("POSTGRES_REQUIRED", "The package pg is not installed: run npm install pg", { cause });
  }
}
