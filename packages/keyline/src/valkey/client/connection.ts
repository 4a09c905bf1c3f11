import { Cluster, Valkey } from "iovalkey";
import { clearTimeout, setTimeout } from "../../runtime/clock.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retryDelay } from "../../runtime/waiting.ts";
import type { ValkeyTarget } from "./options.ts";

/**
 * One connection to Valkey, whatever it is behind it.
 *
 * - It reconnects for ever, and says so (`onReady`): a worker has to look at its held list after each of them.
 * - It never sends a command twice and keeps none for later. A command whose answer is lost is rejected, and the caller
 *   finds out what happened; the client library would send it again, and a BLMOVE sent again takes a second job.
 * - A connection on which an answer is overdue by `silenceMs` is half open (the peer is gone and no reset came): it is
 *   destroyed, which rejects what waits and connects anew.
 */
export class ValkeyConnection {
  readonly client: Valkey | Cluster;
  readonly isCluster: boolean;
  readonly #logger: Logger;
  readonly #readyListeners = new Set<() => void>();
  #isClosed = false;
  #lastError: Error | undefined;

  constructor(target: ValkeyTarget, { logger, silenceMs }: { readonly logger: Logger; readonly silenceMs: number }) {
    this.#logger = logger;
    this.isCluster = target.kind === "cluster";
    const common = {
      ...target.options,
      autoResendUnfulfilledCommands: false,
      // Who subscribes does so again itself, and then reads what it missed.
      autoResubscribe: false,
      // Zero: what waits for an answer when the connection closes is rejected at once. With null it would never be.
      maxRetriesPerRequest: 0,
      connectTimeout: 5_000,
      keepAlive: 10_000,
      socketTimeout: silenceMs,
      // A primary that was demoted answers READONLY: only a new connection finds the new primary.
      reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
    };
    this.client =
      target.kind === "cluster"
        ? new Cluster([...target.nodes], {
            lazyConnect: true,
            enableOfflineQueue: false,
            clusterRetryStrategy: (tries: number) => retryDelay(tries),
            // Zero: a command whose connection closed is not sent to the next primary a second time.
            retryDelayOnFailover: 0,
            slotsRefreshInterval: 5_000,
            redisOptions: common,
          })
        : new Valkey({
            ...common,
            lazyConnect: true,
            enableOfflineQueue: false,
            retryStrategy: (tries: number) => retryDelay(tries),
            ...(target.kind === "sentinel" ? { sentinelRetryStrategy: (tries: number) => retryDelay(tries) } : {}),
          });
    this.client.on("error", (error: Error) => this.#noteError(error));
    this.client.on("ready", () => {
      this.#lastError = undefined;
      for (const listener of this.#readyListeners) listener();
    });
    this.client.connect().catch((error: unknown) => this.#noteError(toError(error)));
  }

  get isReady(): boolean {
    return this.client.status === "ready";
  }

  /** Calls `listener` whenever a connection ended. */
  onLost(listener: () => void): void {
    this.client.on("close", listener);
  }

  /** Calls `listener` after every connect and reconnect, until the returned function is called. */
  onReady(listener: () => void): () => void {
    this.#readyListeners.add(listener);
    return () => void this.#readyListeners.delete(listener);
  }

  /** Resolves to true as soon as commands can be sent, to false after `timeoutMs` or when `signal` is aborted. */
  whenReady(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.isReady) return Promise.resolve(true);
    if (this.#isClosed || signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const done = (isReady: boolean): void => {
        clearTimeout(timer);
        stopListening();
        signal?.removeEventListener("abort", abort);
        resolve(isReady);
      };
      const abort = (): void => done(false);
      const timer = setTimeout(done, timeoutMs, false);
      const stopListening = this.onReady(() => done(true));
      signal?.addEventListener("abort", abort);
    });
  }

  /** Throws VALKEY_UNAVAILABLE if no command can be sent within `timeoutMs`. Nothing was sent then. */
  async ensureReady(timeoutMs: number): Promise<void> {
    if (this.isReady || (await this.whenReady(timeoutMs))) return;
    if (this.#isClosed) throw new KeylineError("CLOSED", "This Keyline was closed: make a new one");
    throw new KeylineError(
      "VALKEY_UNAVAILABLE",
      `Valkey did not answer within ${timeoutMs} ms: nothing was sent; check that it runs and that the address is right`,
      { cause: this.#lastError },
    );
  }

  /** Drops the connection, which rejects what waits for an answer, and makes a new one. */
  reconnect(): void {
    if (!this.#isClosed) this.client.disconnect(true);
  }

  close(): void {
    this.#isClosed = true;
    this.client.disconnect();
  }

  #noteError(error: Error): void {
    if (this.#isClosed) return;
    // One line for an outage, not one for every try to reconnect.
    if (this.#lastError?.message !== error.message) this.#logger.warn({ error: error.message }, "Valkey connection failed; reconnecting");
    this.#lastError = error;
  }
}

/**
 * True for an error after which it is not known whether the command took effect, or that says that the server could not
 * serve it now: look again after a reconnect. An error reply to a wrong command is neither.
 */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name !== "ReplyError") return true;
  return /^(READONLY|UNBLOCKED|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY|FAILOVER)\b/.test(error.message);
}
