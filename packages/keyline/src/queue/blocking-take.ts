import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import type { QueueLists } from "../valkey/queue/queue-lists.ts";

/** The wait for the next job of an empty queue: one BLMOVE, on a connection of the worker's own. */
export class BlockingTake {
  readonly #lists: QueueLists;
  readonly #connection: ValkeyConnection;
  readonly #blockMs: number;
  readonly #logger: Logger;
  #connectionId: number | undefined;

  constructor(options: {
    readonly lists: QueueLists;
    readonly blocking: ValkeyConnection;
    readonly blockMs: number;
    readonly logger: Logger;
  }) {
    this.#lists = options.lists;
    this.#connection = options.blocking;
    this.#blockMs = options.blockMs;
    this.#logger = options.logger;
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
  take(worker: string): Promise<string | null> {
    return this.#lists.take(this.#connection, worker, this.#blockMs / 1_000);
  }

  /**
   * Ends a wait that is under way. Unblocking gets an answer to the command that waits: either nothing, or the job it took just
   * before. Where that is not to be had the connection is dropped, which leaves open whether a job was taken.
   */
  async end(): Promise<void> {
    if (this.#connectionId === undefined || !this.#lists.connection.isReady) return this.#connection.reconnect();
    try {
      await this.#lists.connection.client.client("UNBLOCK", this.#connectionId);
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
