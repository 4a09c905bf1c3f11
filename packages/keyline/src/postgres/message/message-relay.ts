/*
 * DESIGN. The message relay publishes committed messages, each once, in the order in which they were seen committed.
 *
 * 1. It takes rows: those nobody has taken get a number, in a transaction of its own. Only then they are published.
 * 2. Valkey refuses a number that is not above the last one of the same channel. So it does not matter when the relay dies between
 *    publishing and deleting, when the answer gets lost, or when two relays have taken the same rows.
 * 3. Published rows are deleted.
 *
 * A process looks at once when it saw a COMMIT of its own, every second as long as it publishes within transactions itself, and every five
 * seconds otherwise, for what others have left. A channel that cannot be published to is left out for a while, so that it keeps no other.
 */
import { performance } from "../../runtime/clock.ts";
import type { Duty } from "../../runtime/duty.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Notice } from "../../runtime/waiting.ts";
import type { MessageRow, MessageTable } from "./message-table.ts";

/** The way from the outbox to Valkey. */
export interface MessageOutlet {
  /** False while Valkey is away. */
  readonly isOpen: boolean;
  /** Publishes messages of one channel, in this order, unless they were published before. */
  publishRows(channel: string, rows: readonly MessageRow[]): Promise<void>;
}

const idleMs = 1_000;
const unusedMs = 5_000;
const failedMs = 5_000;
const expectedMs = 250;
const patienceMs = 1_000;
const page = 200;

export class MessageRelay implements Duty {
  readonly #table: MessageTable;
  readonly #outlet: MessageOutlet;
  readonly #logger: Logger;
  readonly #wake = new Notice();
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  /** This process publishes within transactions. */
  #isUsed = false;
  #isWoken = false;
  #expectedUntil = 0;
  /** Channels that could not be published to, and when they are tried again. */
  readonly #failed = new Map<string, number>();

  constructor(table: MessageTable, { outlet, logger }: { readonly outlet: MessageOutlet; readonly logger: Logger }) {
    this.#table = table;
    this.#outlet = outlet;
    this.#logger = logger;
  }

  start(): void {
    this.#loop ??= this.#run(this.#stopping.signal);
  }

  /** Publishes what was committed so far, if both stores are there. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.notify();
    await this.#loop;
    if (this.#isUsed && this.#table.database.isAvailable && this.#outlet.isOpen) await this.#publishAll().catch(() => undefined);
  }

  /** A transaction with messages is open whose end may not be seen: look more often for a while. */
  expectMessages(): void {
    this.#expectedUntil = performance.now() + 2_000;
    this.lookSoon();
  }

  /** A transaction with messages was committed. */
  lookSoon(): void {
    this.#isUsed = true;
    this.#isWoken = true;
    this.#wake.notify();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        await this.#table.database.whenAvailable(signal, { mayEnd: true });
        if (signal.aborted) return;
        if (this.#outlet.isOpen) await this.#publishAll();
      } catch (error) {
        const isNotUsed = error instanceof KeylineError && error.code === "NOT_MIGRATED";
        if (!isNotUsed)
          this.#logger.warn({ error: toError(error).message }, "committed messages could not be published yet; it is tried again");
      }
      if (this.#isWoken || signal.aborted) continue;
      const isExpecting = performance.now() < this.#expectedUntil;
      await this.#wake.wait(isExpecting ? expectedMs : this.#isUsed ? idleMs : unusedMs, signal, { mayEnd: true });
    }
  }

  async #publishAll(): Promise<void> {
    for (;;) {
      const now = performance.now();
      for (const [channel, until] of this.#failed) if (until < now) this.#failed.delete(channel);
      const rows = await this.#table.take(page, { patienceMs, but: [...this.#failed.keys()] });
      if (rows.length === 0) return;
      const byChannel = Map.groupBy(rows, (row) => row.channel);
      const published = await Promise.all([...byChannel].map(([channel, ofChannel]) => this.#publish(channel, ofChannel)));
      await this.#table.remove(published.flat());
    }
  }

  /** The rows that are out. */
  async #publish(channel: string, rows: readonly MessageRow[]): Promise<readonly MessageRow[]> {
    try {
      await this.#outlet.publishRows(channel, rows);
      return rows;
    } catch (error) {
      this.#logger.warn(
        { channel, error: toError(error).message },
        "committed messages of a channel could not be published yet; it is tried again",
      );
      this.#failed.set(channel, performance.now() + failedMs);
      return [];
    }
  }
}
