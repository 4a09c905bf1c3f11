import { clearTimeout, setTimeout } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { isConnectionError, type ValkeyConnection } from "../../valkey/client/connection.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { retryDelay } from "../../runtime/waiting.ts";
import type { Pump } from "../../work/pump.ts";

const readyWithinMs = 1_000;
const strayPage = 100;
const gentlyAgainMs = 100;

/** Who waits, and what becomes of it. */
export interface Waiter {
  /** Whether a job is still wanted when the wait can begin. */
  isWanted(): boolean;
  /** Whether the lease is still the same. */
  isCurrent(): boolean;
  /** The server has answered. */
  answered(): void;
  /** The element of a job that is in the worker's held list now. */
  taken(element: string): void;
  /** There may be something to take. */
  woken(): void;
  failed(error: unknown): void;
  /** Called in the end, and when a wait that was refused may be tried again. */
  over(): void;
}

/** What a worker waits for: a job, which it takes; where gates decide what is taken, that one comes, or room. */
export type Awaited = "job" | "arrival" | { readonly room: true; readonly withinMs: number };

/** The wait for the next job of an empty queue, or for a gate to open: one blocking command, on a connection of the worker's own. */
export class IdleWait {
  readonly #store: QueueStore;
  readonly #connection: ValkeyConnection;
  readonly #blockMs: number;
  readonly #logger: Logger;
  #connectionId: number | undefined;
  #isUnderWay = false;
  #isEnding = false;
  #refusals = 0;
  #rest: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly store: QueueStore;
    readonly blocking: ValkeyConnection;
    readonly blockMs: number;
    readonly logger: Logger;
  }) {
    this.#store = options.store;
    this.#connection = options.blocking;
    this.#blockMs = options.blockMs;
    this.#logger = options.logger;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** False while one is under way, and for a while after one was refused. */
  get mayBegin(): boolean {
    return !this.#isUnderWay && this.#rest === undefined;
  }

  /** Calls `listener` after every connect and reconnect, until the returned function is called. */
  onReady(listener: () => void): () => void {
    if (this.#connection.isReady) void this.#readId();
    return this.#connection.onReady(() => {
      void this.#readId();
      listener();
    });
  }

  /** Waits for up to the block time on behalf of `worker`. Never rejects. */
  async run(worker: string, awaited: Awaited, waiter: Waiter): Promise<void> {
    this.#isUnderWay = true;
    try {
      if (!(await this.#connection.whenReady(readyWithinMs)) || !waiter.isWanted() || !waiter.isCurrent()) return;
      const element = await this.#block(worker, awaited);
      this.#refusals = 0;
      waiter.answered();
      if (awaited !== "job") waiter.woken();
      if (element === null) return;
      if (waiter.isCurrent()) waiter.taken(element);
      // The lease went while this waited: the job is in a held list that nobody looks at, and was not begun.
      else await this.#store.leases.returnHeld(worker, strayPage, "leaving");
    } catch (error) {
      if (!isConnectionError(error)) this.#noteRefusal(toError(error), waiter);
      waiter.failed(error);
    } finally {
      this.#isUnderWay = false;
      waiter.over();
    }
  }

  close(): void {
    clearTimeout(this.#rest);
  }

  /**
   * Ends a wait that is under way. Unblocking gets an answer to the command that waits: either nothing, or the job it took just
   * before. Where that is not to be had the connection is dropped, which leaves open whether a job was taken.
   */
  async end(): Promise<void> {
    if (this.#connectionId === undefined || !this.#store.connection.isReady) return this.#connection.reconnect();
    try {
      await this.#unblock(this.#connectionId);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "a waiting command could not be ended");
      this.#connection.reconnect();
    }
  }

  /** Ends what is under way, as long as that `isWanted`. It may not have begun on the server when it is ended: then again after so many milliseconds. */
  async endAll(pump: Pump, { againMs, isWanted }: { readonly againMs: number; readonly isWanted: () => boolean }): Promise<void> {
    while (this.#isUnderWay && isWanted()) {
      await this.end();
      await pump.until(() => !this.#isUnderWay, AbortSignal.timeout(againMs));
    }
  }

  /**
   * The same for what may also wait until it ends by itself, as long as that `isWanted`: the connection is not dropped, which whoever asks because it was dropped would do again and again.
   */
  async endGently(pump: Pump, isWanted: () => boolean): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    while (this.#isUnderWay && isWanted()) {
      if (this.#connectionId !== undefined && this.#store.connection.isReady)
        await this.#unblock(this.#connectionId).catch(() => undefined);
      await pump.until(() => !this.#isUnderWay, AbortSignal.timeout(gentlyAgainMs));
    }
    this.#isEnding = false;
  }

  #unblock(connectionId: number): Promise<unknown> {
    return this.#store.connection.client.client("UNBLOCK", connectionId);
  }

  async #block(worker: string, awaited: Awaited): Promise<string | null> {
    const { holding } = this.#store;
    if (awaited === "job") return holding.take(this.#connection, worker, this.#blockMs / 1_000);
    if (awaited === "arrival") await holding.awaitJob(this.#connection, this.#blockMs / 1_000);
    else await this.#awaitRoom(Math.max(1, Math.min(awaited.withinMs, this.#blockMs)));
    return null;
  }

  // A server that has nothing else to do looks only ten times a second whose waiting is over: too seldom to make use of a rate.
  async #awaitRoom(ms: number): Promise<void> {
    const overdue = setTimeout(() => {
      if (this.#connectionId === undefined || !this.#store.connection.isReady) return;
      this.#unblock(this.#connectionId).catch(() => {
        // It is only later then.
      });
    }, ms);
    try {
      await this.#store.holding.awaitRoom(this.#connection, ms / 1_000);
    } finally {
      clearTimeout(overdue);
    }
  }

  // A server that is full refuses to wait: it is asked again later and later, whatever else it allows meanwhile.
  #noteRefusal(error: Error, waiter: Waiter): void {
    const level = this.#refusals++ === 0 ? "error" : "debug";
    this.#logger[level]({ error: error.message }, "waiting for a job was refused; the queue is looked at now and then");
    const again = (): void => {
      this.#rest = undefined;
      waiter.over();
    };
    this.#rest = setTimeout(again, retryDelay(this.#refusals, { first: 50, max: 1_000 }));
  }

  async #readId(): Promise<void> {
    this.#connectionId = undefined;
    if (this.#connection.isCluster) return;
    try {
      this.#connectionId = await this.#connection.client.client("ID");
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the id of a connection could not be read");
    }
  }
}
