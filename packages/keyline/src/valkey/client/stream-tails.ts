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
 *   ids come before that one. He goes on every half second. The clock is asked for beside the XREAD, at most twice a minute.
 * - On a cluster streams of different slots cannot share a command: there each stream has a connection of its own.
 */
import { TailReader, type TailReaderParts } from "./tail-reader.ts";
import type { TailWaiter } from "./tail-waiters.ts";

/** Says when a stream has news. */
export class StreamTails {
  readonly #parts: TailReaderParts;
  readonly #readers = new Map<string, TailReader>();
  #isClosed = false;

  constructor(parts: TailReaderParts) {
    this.#parts = parts;
  }

  /** Resolves when the stream at `key` has an entry after `after`, or may have been lost, or `signal` is aborted. May be early. */
  whenAfter(key: string, after: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#isClosed) return Promise.resolve();
    return this.#readerOf(key).wait(key, after, signal);
  }

  /**
   * Wakes `waiter` at each entry behind its place, with the entry and without another command, until the returned function is called: for one who has to know
   * at once. It is told too where some may have been missed.
   */
  follow(key: string, waiter: TailWaiter): () => void {
    return this.#isClosed ? () => undefined : this.#readerOf(key).join(key, waiter);
  }

  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers.values()) reader.close();
  }

  #readerOf(key: string): TailReader {
    const slot = this.#parts.isCluster ? key : "";
    let reader = this.#readers.get(slot);
    if (!reader) {
      reader = new TailReader(this.#parts, () => void this.#readers.delete(slot));
      this.#readers.set(slot, reader);
    }
    return reader;
  }
}
