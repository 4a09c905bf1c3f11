import { checkInteger, checkOptionNames } from "../runtime/options.ts";
import type { QueueStore } from "../valkey/queue/queue-store.ts";
import { readDeadLetter, type DeadLetter } from "./dead-letter.ts";
import type { JobRecord } from "./job-record.ts";
import type { TransactionalAdder } from "./transactional-adder.ts";

export interface DeadLettersParts {
  readonly store: QueueStore;
  /** Both only on a transactional queue. */
  readonly record: JobRecord | undefined;
  readonly transactionalAdder: TransactionalAdder | undefined;
}

const optionNames = new Set(["limit"]);
const page = 500;
const readyWithinMs = 5_000;

/** The dead letters of one queue: rows of a transactional one, and what is on Valkey. */
export class DeadLetters {
  readonly #parts: DeadLettersParts;

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
  }

  async list(options: { readonly limit?: number }): Promise<DeadLetter[]> {
    checkOptionNames("deadLetters", options, optionNames);
    const { limit = 100 } = options;
    checkInteger("limit", limit, { min: 1, max: 10_000 });
    const { store, record } = this.#parts;
    const rows = (await record?.table.listDead(limit)) ?? [];
    const letters = rows.map(({ id, data, attempts, last_error }) => ({ id, data, attempts, reason: last_error ?? "" }));
    await store.connection.ensureReady(readyWithinMs);
    const onValkey = await store.letters.newest(limit);
    return [...letters, ...onValkey.map(readDeadLetter)].slice(0, limit);
  }

  async redrive(options: { readonly limit?: number }): Promise<number> {
    checkOptionNames("redrive", options, optionNames);
    const { limit = Number.MAX_SAFE_INTEGER } = options;
    checkInteger("limit", limit, { min: 1 });
    await this.#parts.store.connection.ensureReady(readyWithinMs);
    const rows = await this.#redriveRows(limit);
    return rows + (await this.#redriveLetters(limit - rows));
  }

  async #redriveRows(limit: number): Promise<number> {
    const { transactionalAdder } = this.#parts;
    if (!transactionalAdder) return 0;
    let count = 0;
    for (let moved = page; moved === page && count < limit; count += moved) {
      moved = await transactionalAdder.redrive(Math.min(page, limit - count));
    }
    return count;
  }

  // Letters that stay go behind the others: each that was there is looked at once.
  async #redriveLetters(limit: number): Promise<number> {
    const { letters } = this.#parts.store;
    let count = 0;
    for (let left = await letters.count(); left > 0 && count < limit;) {
      const { looked, moved } = await letters.redrive(Math.min(page, limit - count, left));
      if (looked === 0) break;
      left -= looked;
      count += moved;
    }
    return count;
  }
}
