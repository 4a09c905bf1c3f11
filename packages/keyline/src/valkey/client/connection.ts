import { Cluster, type Valkey } from "iovalkey";
import { clearInterval, clearTimeout, performance, queueMicrotask, setInterval, setTimeout } from "../../runtime/clock.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retryDelay } from "../../runtime/waiting.ts";
import { createClient } from "./create-client.ts";
import { faultCodeOf, isLasting, toFault } from "./faults.ts";
import type { ValkeyTarget } from "./options.ts";
import { checkServer } from "./server-check.ts";
import { findTlsMismatch } from "./tls-probe.ts";

const probeAfterMs = 1_000;
const probeEveryMs = 5_000;
const slotsEveryMs = 5_000;
/** A connect takes several ways there and back, and a process that has just begun has other things to do. */
const firstConnectMs = 3_000;

/**
 * One connection to Valkey, whatever it is behind it.
 *
 * - It reconnects for ever, and says so (`onReady`): a worker has to look at its held list after each of them. It is ready when the server
 *   has said that it is the one to talk to: server-check.ts.
 * - It never sends a command twice and keeps none for later. A command whose answer is lost is rejected, and the caller
 *   finds out what happened; the client library would send it again, and a BLMOVE sent again takes a second job.
 * - A connection on which an answer is overdue by `silenceMs` is half open (the peer is gone and no reset came): it is
 *   destroyed, which rejects what waits and connects anew.
 * - It does not keep the process alive while no answer is awaited.
 * - What no reconnect mends, as a wrong password, is a fault: told once (`onFault`), and thrown at whoever asks for the connection.
 */
export class ValkeyConnection {
  readonly client: Valkey | Cluster;
  readonly isCluster: boolean;
  readonly #target: ValkeyTarget;
  readonly #logger: Logger;
  readonly #readyListeners = new Set<() => void>();
  readonly #lostListeners = new Set<() => void>();
  readonly #faultListeners = new Set<(fault: KeylineError) => void>();
  readonly #closing = new AbortController();
  /** Aborted when the first connect has come to something. */
  readonly #firstConnect = new AbortController();
  #isChecked = false;
  /** Counts connects: a check counts for the one that it was made on. */
  #connect = 0;
  #tries = 0;
  #lastError: Error | undefined;
  #fault: KeylineError | undefined;
  #wasReady = false;
  /** Since when no command can be sent; undefined while commands can be. */
  #awaySince: number | undefined = performance.now();
  #nextProbe = 0;

  constructor(target: ValkeyTarget, { logger, silenceMs }: { readonly logger: Logger; readonly silenceMs: number }) {
    this.#logger = logger;
    this.#target = target;
    this.isCluster = target.kind === "cluster";
    this.client = createClient(target, {
      silenceMs,
      nextDelay: () => retryDelay(this.#tries++),
      isToReconnect: (error) => this.#isToReconnect(error),
    });
    this.client.on("error", (error: Error) => this.#noteError(error));
    if (this.client instanceof Cluster) this.#refreshSlots(this.client);
    this.client.on("close", () => {
      this.#isChecked = false;
      this.#awaySince ??= performance.now();
      this.#connect++;
      for (const listener of this.#lostListeners) listener();
      void this.#probeTls();
    });
    this.client.on("ready", () => void this.#check());
    setTimeout(() => void this.#probeTls(), probeAfterMs).unref();
    this.client.connect().catch((error: unknown) => this.#lastError ?? this.#noteError(toError(error)));
  }

  get isReady(): boolean {
    return this.#isChecked && this.client.status === "ready";
  }

  /** What is left of so many milliseconds since the connection was lost: who can do without it waits no second time for an outage that has lasted longer. */
  leftOf(ms: number): number {
    return this.#awaySince === undefined ? ms : Math.ceil(Math.max(0, ms - (performance.now() - this.#awaySince)));
  }

  /** Calls `listener` whenever a connection ended. */
  onLost(listener: () => void): void {
    this.#lostListeners.add(listener);
  }

  /** Calls `listener` after every connect and reconnect, until the returned function is called. */
  onReady(listener: () => void): () => void {
    this.#readyListeners.add(listener);
    return () => void this.#readyListeners.delete(listener);
  }

  /** Calls `listener` soon with a lasting fault that is there, and with each that comes, until the returned function is called. */
  onFault(listener: (fault: KeylineError) => void): () => void {
    this.#faultListeners.add(listener);
    queueMicrotask(() => {
      if (this.#fault && isLasting(this.#fault) && this.#faultListeners.has(listener)) listener(this.#fault);
    });
    return () => void this.#faultListeners.delete(listener);
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

  /** Throws VALKEY_UNAVAILABLE if no command can be sent within `timeoutMs`, and a fault at once. Nothing was sent then. */
  async ensureReady(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.isReady) return;
    const giveUp = new AbortController();
    const stopListening = this.onFault(() => giveUp.abort());
    const signals = signal ? [giveUp.signal, signal] : [giveUp.signal];
    const isReady = await this.whenReady(timeoutMs, AbortSignal.any(signals)).finally(stopListening);
    if (isReady) return;
    if (this.#isClosed) throw new KeylineError("CLOSED", "This Keyline was closed: make a new one");
    if (this.#fault) throw new KeylineError(this.#fault.code, this.#fault.message, { cause: this.#fault.cause });
    throw new KeylineError(
      "VALKEY_UNAVAILABLE",
      `Valkey ${timeoutMs === 0 ? "does not answer" : `did not answer within ${timeoutMs} ms`}: nothing was sent; check that it runs and that the address is right`,
      { cause: this.#lastError },
    );
  }

  /**
   * The same for who can do without: waits no second time for an outage that has lasted longer. Where it connects for the first time, and nothing has gone wrong so far, it is not
   * away yet, and is waited for up to three seconds.
   */
  async ensureReadySoon(timeoutMs: number): Promise<void> {
    try {
      await this.ensureReady(this.leftOf(timeoutMs));
    } catch (error) {
      const { signal } = this.#firstConnect;
      if (signal.aborted || this.#isClosed) throw error;
      await this.ensureReady(this.leftOf(firstConnectMs), signal);
    }
  }

  /** Drops the connection, which rejects what waits for an answer, and makes a new one. */
  reconnect(): void {
    if (this.#isClosed) return;
    this.#isChecked &&= this.isCluster;
    this.client.disconnect(true);
  }

  close(): void {
    this.#closing.abort();
    this.client.disconnect();
  }

  /** A primary that was demoted answers READONLY: only a new connection finds the new primary. */
  #isToReconnect(error: Error): boolean {
    if (!error.message.startsWith("READONLY")) return false;
    // What comes meanwhile waits for the new one. A cluster's client sees to its nodes by itself.
    this.#isChecked &&= this.isCluster;
    return true;
  }

  // The client library's own timer for this would keep the process alive.
  #refreshSlots(cluster: Cluster): void {
    const timer = setInterval(() => this.isReady && cluster.refreshSlotsCache(), slotsEveryMs).unref();
    this.#closing.signal.addEventListener("abort", () => clearInterval(timer));
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #check(): Promise<void> {
    const connect = this.#connect;
    try {
      await checkServer(this.client, this.#target, this.#closing.signal);
    } catch (error) {
      if (connect !== this.#connect || this.#isClosed) return;
      this.#noteError(toError(error));
      this.client.disconnect(true);
      return;
    }
    if (connect !== this.#connect || this.#isClosed) return;
    this.#isChecked = true;
    this.#wasReady = true;
    this.#awaySince = undefined;
    this.#tries = 0;
    this.#lastError = undefined;
    this.#fault = undefined;
    for (const listener of this.#readyListeners) listener();
    this.#firstConnect.abort();
  }

  #noteError(error: Error): void {
    if (this.#isClosed) return;
    this.#firstConnect.abort();
    // A cluster's client tells of its nodes' errors within one of its own.
    const inner = "lastNodeError" in error && error.lastNodeError instanceof Error ? error.lastNodeError : error;
    const code = faultCodeOf(inner);
    if (inner instanceof KeylineError) this.#noteFault(inner);
    else if (code) this.#noteFault(toFault(code, inner.message, inner));
    // One line for an outage, not one for every try to reconnect.
    else if (this.#lastError?.message !== inner.message)
      this.#logger.warn({ error: inner.message }, "Valkey connection failed; reconnecting");
    this.#lastError = inner;
  }

  #noteFault(fault: KeylineError): void {
    const isNews = this.#fault?.message !== fault.message;
    this.#fault = fault;
    if (!isNews) return;
    this.#logger.error({ code: fault.code, error: fault.message }, "Valkey cannot be used as it is");
    if (isLasting(fault)) for (const listener of this.#faultListeners) listener(fault);
  }

  async #probeTls(): Promise<void> {
    const now = performance.now();
    if (this.#target.kind !== "single" || this.#wasReady || this.#isClosed || now < this.#nextProbe) return;
    this.#nextProbe = now + probeEveryMs;
    const mismatch = await findTlsMismatch(this.#target.options);
    if (mismatch !== undefined && !this.isReady && !this.#isClosed) this.#noteFault(toFault("TLS_FAILED", mismatch, this.#lastError));
  }
}

/**
 * True for an error after which it is not known whether the command took effect, or that says that the server could not
 * serve it now: look again after a reconnect. An error reply to a wrong command is neither.
 */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof KeylineError) return error.code === "VALKEY_UNAVAILABLE";
  if (error.name !== "ReplyError") return true;
  return /^(READONLY|UNBLOCKED|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY|FAILOVER)\b/.test(error.message);
}
