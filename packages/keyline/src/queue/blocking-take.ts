import { clearTimeout, setTimeout } from "../runtime/clock.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import type { QueueStore } from "../valkey/queue/queue-store.ts";
import { retryDelay } from "../runtime/waiting.ts";

/** The wait for the next job of an empty queue: one BLMOVE, on a connection of the worker's own. */
export class BlockingTake {
  readonly #store: QueueStore;
  readonly #connection: ValkeyConnection;
  readonly #blockMs: number;
  readonly #logger: Logger;
  #connectionId: number | undefined;
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

  /** It was refused a moment ago. */
  get isResting(): boolean {
    return this.#rest !== undefined;
  }

  /** Calls `listener` after every connect and reconnect, until the returned function is called. */
  onReady(listener: () => void): () => void {
    if (this.#connection.isReady) void this.#readId();
    return this.#connection.onReady(() => {
      void this.#readId();
      listener();
    });
  }

  whenReady(timeoutMs: number): Promise<boolean> {
    return this.#connection.whenReady(timeoutMs);
  }

  /** The element of a job that is in the held list of `worker` now; null when none came within the block time. */
  async take(worker: string): Promise<string | null> {
    const element = await this.#store.holding.take(this.#connection, worker, this.#blockMs / 1_000);
    this.#refusals = 0;
    return element;
  }

  /**
   * The server refused to wait, as one that is full does: it is asked again later and later, whatever else it allows meanwhile. Calls `then`
   * when that time has come.
   */
  rest(error: Error, then: () => void): void {
    const isNews = this.#refusals++ === 0;
    this.#logger[isNews ? "error" : "debug"](
      { error: error.message },
      "waiting for a job was refused; the queue is looked at now and then",
    );
    const over = (): void => {
      this.#rest = undefined;
      then();
    };
    this.#rest = setTimeout(over, retryDelay(this.#refusals, { first: 50, max: 1_000 }));
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
      await this.#store.connection.client.client("UNBLOCK", this.#connectionId);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "a waiting command could not be ended");
      this.#connection.reconnect();
    }
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
