import { Emitter } from "../../runtime/emitter.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Verdict } from "../../work/verdict.ts";
import type { Loss } from "../../valkey/stream/group-log.ts";
import type { EntryAttempt } from "./entry-attempt.ts";
import type { HeldEntry } from "./held-entry.ts";

export interface ConsumerEvents<Data> extends Record<string, readonly unknown[]> {
  /** The entry ended well, and with it its effects. */
  readonly completed: readonly [entry: EntryAttempt<Data>];
  /** The attempt failed; the next one begins after so many milliseconds. */
  readonly retried: readonly [entry: EntryAttempt<Data>, error: Error, delayMs: number];
  /** The entry is a dead letter of the group. Undefined where it could not even be read. */
  readonly dead: readonly [entry: EntryAttempt<Data> | undefined, error: Error];
  /** Something went wrong outside the handler, such as a lost lease. */
  readonly error: readonly [error: Error];
  /** The group is up to date and nothing runs here. */
  readonly idle: readonly [];
  /**
   * Retention took entries that the group had not finished: the stream's hard limit was reached, the group was away for too long, or the
   * record keeps no longer what is so old.
   */
  readonly lost: readonly [loss: Loss];
}

/** Tells a consumer's listeners what became of its entries. */
export class ConsumerReport<Data> {
  readonly #of: { readonly stream: string; readonly group: string };
  readonly #logger: Logger;
  readonly #events: Emitter<ConsumerEvents<Data>>;

  constructor({ stream, group, logger }: { readonly stream: string; readonly group: string; readonly logger: Logger }) {
    this.#of = { stream, group };
    this.#logger = logger;
    this.#events = new Emitter(logger);
  }

  on<Name extends keyof ConsumerEvents<Data> & string>(name: Name, listener: (...values: ConsumerEvents<Data>[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** The verdict on the entry took effect. */
  ended(entry: EntryAttempt<Data> | undefined, id: string, verdict: Verdict): void {
    switch (verdict.kind) {
      case "settle":
        if (entry) this.#events.emit("completed", entry);
        return;
      case "drop":
        if (verdict.error) this.error(verdict.error);
        else if (entry) this.#events.emit("completed", entry);
        return;
      case "retry":
        if (entry) this.#events.emit("retried", entry, verdict.error ?? new Error("snoozed"), verdict.delayMs);
        return;
      case "bury":
        this.#logger.warn({ ...this.#of, id, error: verdict.error.message }, "an entry is a dead letter of a consumer group");
        this.#events.emit("dead", entry, verdict.error);
    }
  }

  /** The entry could not be ended: it was not this consumer's any more. */
  leaseLost({ id }: HeldEntry<Data>): void {
    this.error(
      new KeylineError(
        "LEASE_LOST",
        `Entry ${id} of stream ${this.#of.stream} is not this consumer's any more: its lease ended while the consumer did not answer, and the group ${this.#of.group} gave the entry to another one`,
      ),
    );
  }

  /** Errors without a listener are logged. */
  error(error: Error): void {
    if (this.#events.hasListeners("error")) this.#events.emit("error", error);
    else this.#logger.error({ ...this.#of, error: error.message }, "a consumer reports an error");
  }

  idle(): void {
    this.#events.emit("idle");
  }

  lost(loss: Loss): void {
    this.#logger.warn({ ...this.#of, ...loss }, "retention took entries before a consumer group had finished them");
    this.#events.emit("lost", loss);
  }
}
