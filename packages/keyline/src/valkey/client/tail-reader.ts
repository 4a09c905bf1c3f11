import { performance, setImmediate } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../../runtime/waiting.ts";
import type { ValkeyConnection } from "./connection.ts";
import { isNotPermitted } from "./run-mark.ts";
import { ServerClock } from "./server-clock.ts";
import { TailWaiters, type Newest, type TailWaiter } from "./tail-waiters.ts";
import { bulkString, WrittenCommand } from "./written-command.ts";

export interface TailReaderParts {
  readonly isCluster: boolean;
  /** For short commands. */
  readonly commands: ValkeyConnection;
  /** A connection that stays silent for up to `blockMs`. */
  connect(blockMs: number): ValkeyConnection;
  /** Whether stream id `a` is before `b`. */
  isBefore(a: string, b: string): boolean;
  readonly logger: Logger;
}

const blockMs = 10_000;
const aheadBlockMs = 500;
const awayWakeMs = 500;
// Without the right to CLIENT UNBLOCK whoever joins waits until the read that is under way ends by itself.
const shortBlockMs = 200;
const unblockAgainMs = 10;
const firstPauseMs = 100;
const lingerMs = 60_000;

/** Waits on one blocking connection for all who wait. */
export class TailReader {
  readonly #parts: TailReaderParts;
  readonly #connection: ValkeyConnection;
  readonly #waiters: TailWaiters;
  readonly #clock: ServerClock;
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

  constructor(parts: TailReaderParts, onIdle: () => void) {
    this.#parts = parts;
    this.#onIdle = onIdle;
    this.#waiters = new TailWaiters((a, b) => parts.isBefore(a, b));
    this.#clock = new ServerClock(parts.commands, parts.logger);
    this.#connection = parts.connect(blockMs);
    this.#connection.onReady(() => {
      this.#connectionId = undefined;
      this.#clock.forget();
      this.#wakeAll("broken");
    });
    void this.#run();
  }

  wait(key: string, after: string, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiters.wait(key, after, signal);
    this.#noteJoin(key, after);
    return waiting.then(() => {
      if (signal.aborted) this.#noteLeave();
    });
  }

  join(key: string, waiter: TailWaiter): () => void {
    const leave = this.#waiters.join(key, waiter);
    this.#noteJoin(key, waiter.after);
    return () => {
      leave();
      this.#noteLeave();
    };
  }

  close(): void {
    this.#closing.abort();
    this.#wakeAll("broken");
    this.#connection.close();
  }

  #noteJoin(key: string, after: string): void {
    if (!this.#asked) this.#joined.notify();
    else if (this.#waiters.isLeftOut(this.#asked, key, after)) this.#interruptSoon();
  }

  // A read for nobody would keep the process alive.
  #noteLeave(): void {
    if (this.#asked && this.#waiters.isEmpty) this.#interruptSoon();
  }

  #wakeAll(why: "broken" | "late"): void {
    this.#wokenAt = performance.now();
    this.#waiters.wakeAll(why);
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted;) {
      if (this.#waiters.isEmpty) {
        await this.#joined.wait(lingerMs, signal, { mayEnd: true });
        if (!this.#waiters.isEmpty || signal.aborted) continue;
        this.#onIdle();
        this.close();
        return;
      }
      if (!(await this.#connection.whenReady(awayWakeMs, signal))) {
        this.#wakeAll("broken");
        continue;
      }
      try {
        await this.#read();
        failures = 0;
        // Those who were woken go on first: the next read is a write to a socket, for which they would wait.
        await new Promise<void>((resolve) => void setImmediate(resolve));
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.logger.debug({ error: toError(error).message }, "waiting for stream entries failed; it is tried again");
        this.#wakeAll("broken");
        await delay(retryDelay(failures++, { first: firstPauseMs }), signal);
      }
    }
  }

  async #read(): Promise<void> {
    // A cluster has one stream a connection, and is not interrupted.
    if (!this.#parts.isCluster) this.#connectionId ??= Number(await this.#connection.client.call("CLIENT", "ID"));
    const asked = this.#waiters.earliest();
    // Everybody left meanwhile.
    if (asked.size === 0) return;
    this.#asked = asked;
    this.#clock.askSoon();
    const isAnyAhead = this.#waiters.isAnyAfter((after) => this.#clock.isBehind(after));
    try {
      const command = nextOf(asked, !this.#mayUnblock ? shortBlockMs : isAnyAhead ? aheadBlockMs : blockMs);
      const reply = (await this.#connection.client.sendCommand(command)) as Newest[] | null;
      if (reply) this.#waiters.wakeFor(reply, asked);
      else if (!this.#isInterrupting) this.#wakeLate();
    } finally {
      this.#asked = undefined;
    }
  }

  #wakeLate(): void {
    if (performance.now() - this.#wokenAt >= blockMs) return this.#wakeAll("late");
    this.#waiters.wakeAfter((after) => this.#clock.isBehind(after), "late");
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
      if (!signal.aborted && this.#asked && this.#waiters.isAnyLeftOut(this.#asked)) this.#interruptSoon();
    }
  }
}

/** The read that brings the next entry of one of the streams, and waits for it for so long. */
function nextOf(places: ReadonlyMap<string, string>, ms: number): WrittenCommand {
  const routing = ["COUNT", "1", "BLOCK", String(ms), "STREAMS", ...places.keys(), ...places.values()];
  const wire = routing.map((text) => bulkString(text)).join("");
  return new WrittenCommand("xread", routing, `*${routing.length + 1}\r\n${bulkString("xread")}${wire}`);
}
