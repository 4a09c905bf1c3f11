/*
 * DESIGN. The message relay publishes committed messages, each once, in the order in which they were seen committed.
 *
 * 1. It takes rows: those nobody has taken get a number, in a transaction of its own. Only then they are published.
 * 2. Valkey refuses a number that is not above the last one of the same channel. So it does not matter when the relay dies between
 *    publishing and deleting, when the answer gets lost, or when two relays have taken the same rows.
 * 3. Published rows are deleted.
 *
 * A process looks at once when it saw a COMMIT of its own, and every second as long as it publishes within transactions at all; when
 * it starts it looks once, for what a process that died has left.
 */
import type { Duty } from "../runtime/duty.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import { Notice } from "../runtime/waiting.ts";
import type { MessageRow, MessageTable } from "./message-table.ts";

/** The way from the outbox to Valkey. */
export interface MessageOutlet {
  /** False while Valkey is away. */
  readonly isOpen: boolean;
  /** Publishes messages of one channel, in this order, unless they were published before. */
  publishRows(channel: string, rows: readonly MessageRow[]): Promise<void>;
}

const idleMs = 1_000;
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
      let isDone = false;
      try {
        await this.#table.database.whenAvailable(signal);
        if (signal.aborted) return;
        isDone = this.#outlet.isOpen;
        if (isDone) await this.#publishAll();
      } catch (error) {
        isDone = error instanceof KeylineError && error.code === "NOT_MIGRATED";
        if (!isDone)
          this.#logger.warn({ error: toError(error).message }, "committed messages could not be published yet; it is tried again");
      }
      if (this.#isWoken || signal.aborted) continue;
      const isExpecting = performance.now() < this.#expectedUntil;
      // Without a limit of time when there is nothing to wait for: whoever uses it wakes it.
      await this.#wake.wait(isExpecting ? expectedMs : this.#isUsed || !isDone ? idleMs : undefined, signal);
    }
  }

  async #publishAll(): Promise<void> {
    for (;;) {
      const rows = await this.#table.take(page, patienceMs);
      if (rows.length === 0) return;
      const byChannel = Map.groupBy(rows, (row) => row.channel);
      const published = await Promise.allSettled([...byChannel].map(([channel, ofChannel]) => this.#publish(channel, ofChannel)));
      // A channel that cannot be published to does not keep the others.
      await this.#table.remove(published.flatMap((result) => (result.status === "fulfilled" ? result.value : [])));
      for (const result of published) if (result.status === "rejected") throw toError(result.reason);
      if (rows.length < page) return;
    }
  }

  async #publish(channel: string, rows: readonly MessageRow[]): Promise<readonly MessageRow[]> {
    await this.#outlet.publishRows(channel, rows);
    return rows;
  }
}
