/*
 * DESIGN. All readers of a process that wait for the next entry of a stream share one blocking XREAD over all of their streams: it only
 * says where there is news, and each reader then reads from its own place.
 *
 * - Whoever waits says after which entry. The XREAD asks after the earliest of these places of a stream, so nobody can wait in vain for an entry
 *   that was appended between its last read and the XREAD.
 * - A stream that nobody waited for, or an earlier place, interrupts the XREAD (CLIENT UNBLOCK). The XREAD may not have arrived when
 *   that does, so it is repeated until it worked.
 * - Everybody who waits goes on at a reconnect and when the block time is over: only a reader that reads again sees that a stream was lost.
 *   While the server is away they go on every half second: some can read the record instead.
 * - A reader that waits after an id which the server's clock has not reached is not woken by what comes into a stream that was lost meanwhile: its
 *   ids come before that one. He goes on every half second. The clock is asked for beside the XREAD, at most every few seconds.
 * - On a cluster streams of different slots cannot share a command: there each stream has a connection of its own.
 */
import { performance, setImmediate } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../../runtime/waiting.ts";
import { toError } from "../../runtime/errors.ts";
import { isNotPermitted } from "./run-mark.ts";
import type { ValkeyConnection } from "./connection.ts";

interface Waiter {
  readonly after: string;
  readonly resolve: () => void;
}

export interface StreamTailsParts {
  readonly isCluster: boolean;
  /** For short commands. */
  readonly commands: ValkeyConnection;
  /** A connection that stays silent for up to `blockMs`. */
  connect(blockMs: number): ValkeyConnection;
  /** Whether stream id `a` is before `b`. */
  isBefore(a: string, b: string): boolean;
  readonly logger: Logger;
}

const blockMs = 8_000;
const aheadBlockMs = 500;
const awayWakeMs = 500;
const clockHoldsMs = 5_000;
// Without the right to CLIENT UNBLOCK whoever joins waits until the read that is under way ends by itself.
const shortBlockMs = 200;
const unblockAgainMs = 10;
const firstPauseMs = 100;
const lingerMs = 60_000;

/** Says when a stream has news. */
export class StreamTails {
  readonly #parts: StreamTailsParts;
  readonly #readers = new Map<string, TailReader>();
  #isClosed = false;

  constructor(parts: StreamTailsParts) {
    this.#parts = parts;
  }

  /** Resolves when the stream at `key` has an entry after `after`, or may have been lost, or `signal` is aborted. May be early. */
  whenAfter(key: string, after: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#isClosed) return Promise.resolve();
    const slot = this.#parts.isCluster ? key : "";
    let reader = this.#readers.get(slot);
    if (!reader) {
      reader = new TailReader(this.#parts, () => void this.#readers.delete(slot));
      this.#readers.set(slot, reader);
    }
    return reader.wait(key, after, signal);
  }

  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers.values()) reader.close();
  }
}

/** One blocking connection. */
class TailReader {
  readonly #parts: StreamTailsParts;
  readonly #connection: ValkeyConnection;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #joined = new Notice();
  readonly #closing = new AbortController();
  readonly #onIdle: () => void;
  /** What the XREAD that is under way asks for; undefined while there is none. */
  #asked: ReadonlyMap<string, string> | undefined;
  #isInterrupting = false;
  #mayUnblock = true;
  /** The server's name for this connection; undefined while it is not known. */
  #connectionId: number | undefined;
  /** When everybody was woken. */
  #wokenAt = performance.now();
  /** How much the server's clock is ahead of this process's, and when that was asked for. */
  #clockAheadMs = 0;
  #clockAskedAt = -Infinity;

  constructor(parts: StreamTailsParts, onIdle: () => void) {
    this.#parts = parts;
    this.#onIdle = onIdle;
    this.#connection = parts.connect(blockMs);
    this.#connection.onReady(() => {
      this.#connectionId = undefined;
      this.#wakeAll();
    });
    void this.#run();
  }

  wait(key: string, after: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiters);
      const leave = (): void => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(key) === waiters) this.#waiters.delete(key);
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiter: Waiter = { after, resolve: leave };
      waiters.add(waiter);
      signal.addEventListener("abort", leave);
      const asked = this.#asked?.get(key);
      if (!this.#asked) this.#joined.notify();
      else if (asked === undefined || this.#parts.isBefore(after, asked)) this.#interruptSoon();
    });
  }

  close(): void {
    this.#closing.abort();
    this.#wakeAll();
    this.#connection.close();
  }

  #wakeAll(): void {
    this.#wokenAt = performance.now();
    for (const waiters of this.#waiters.values()) for (const { resolve } of waiters) resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted;) {
      if (this.#waiters.size === 0) {
        await this.#joined.wait(lingerMs, signal, { mayEnd: true });
        if (this.#waiters.size > 0 || signal.aborted) continue;
        this.#onIdle();
        this.close();
        return;
      }
      if (!(await this.#connection.whenReady(awayWakeMs, signal))) {
        this.#wakeAll();
        continue;
      }
      try {
        await this.#read();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.logger.debug({ error: toError(error).message }, "waiting for stream entries failed; it is tried again");
        this.#wakeAll();
        await delay(retryDelay(failures++, { first: firstPauseMs }), signal);
      }
    }
  }

  async #read(): Promise<void> {
    // A cluster has one stream a connection, and is not interrupted.
    if (!this.#parts.isCluster) this.#connectionId ??= Number(await this.#connection.client.call("CLIENT", "ID"));
    const asked = new Map<string, string>();
    for (const [key, waiters] of this.#waiters) {
      let first: string | undefined;
      for (const { after } of waiters) if (first === undefined || this.#parts.isBefore(after, first)) first = after;
      if (first !== undefined) asked.set(key, first);
    }
    // Everybody left meanwhile.
    if (asked.size === 0) return;
    this.#asked = asked;
    this.#askClock();
    const isAnyAhead = [...this.#waiters.values()].some((waiters) => [...waiters].some((waiter) => this.#isAhead(waiter)));
    try {
      const reply = (await this.#connection.client.call(
        "XREAD",
        "COUNT",
        1,
        "BLOCK",
        !this.#mayUnblock ? shortBlockMs : isAnyAhead ? aheadBlockMs : blockMs,
        "STREAMS",
        ...asked.keys(),
        ...asked.values(),
      )) as [key: string, entries: [id: string, fields: string[]][]][] | null;
      if (reply) this.#note(reply);
      else if (!this.#isInterrupting) this.#wakeLate();
    } finally {
      this.#asked = undefined;
    }
  }

  #wakeLate(): void {
    if (performance.now() - this.#wokenAt >= blockMs) return this.#wakeAll();
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) if (this.#isAhead(waiter)) waiter.resolve();
  }

  #isAhead({ after }: Waiter): boolean {
    return Number.parseInt(after, 10) > Date.now() + this.#clockAheadMs;
  }

  #askClock(): void {
    const now = performance.now();
    if (now - this.#clockAskedAt < clockHoldsMs) return;
    this.#clockAskedAt = now;
    this.#parts.commands.client.time().then(
      ([seconds]) => void (this.#clockAheadMs = Number(seconds) * 1_000 + 1_000 - Date.now()),
      (error: unknown) => this.#parts.logger.debug({ error: toError(error).message }, "the server's clock could not be asked for"),
    );
  }

  #note(reply: readonly [key: string, entries: readonly [id: string, fields: string[]][]][]): void {
    for (const [key, entries] of reply) {
      const newest = entries.at(-1)?.[0];
      for (const waiter of this.#waiters.get(key) ?? []) {
        if (newest !== undefined && this.#parts.isBefore(waiter.after, newest)) waiter.resolve();
      }
    }
  }

  // Everybody who joins in this turn of the event loop is served by one interruption.
  #interruptSoon(): void {
    if (this.#isInterrupting || !this.#mayUnblock) return;
    this.#isInterrupting = true;
    setImmediate(() => void this.#interrupt());
  }

  async #interrupt(): Promise<void> {
    const { signal } = this.#closing;
    const interrupted = this.#asked;
    try {
      while (this.#asked && this.#asked === interrupted && !signal.aborted) {
        if (this.#connectionId === undefined) return this.#connection.reconnect();
        await this.#parts.commands.client.call("CLIENT", "UNBLOCK", this.#connectionId);
        if (this.#asked === interrupted) await delay(unblockAgainMs, signal);
      }
    } catch (error) {
      if (isNotPermitted(error)) this.#mayUnblock = false;
      // Not possible now: a new connection begins with a new XREAD.
      this.#parts.logger.debug({ error: toError(error).message }, "a blocking read could not be interrupted; it connects again");
      this.#connection.reconnect();
    } finally {
      this.#isInterrupting = false;
      // Who joined meanwhile found somebody interrupting, but the XREAD before the one that is under way now.
      if (!signal.aborted && this.#isAnyLeftOut()) this.#interruptSoon();
    }
  }

  #isAnyLeftOut(): boolean {
    if (!this.#asked) return false;
    for (const [key, waiters] of this.#waiters) {
      const asked = this.#asked.get(key);
      for (const { after } of waiters) if (asked === undefined || this.#parts.isBefore(after, asked)) return true;
    }
    return false;
  }
}
