import type { Transaction } from "../../postgres/client/options.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { outcomeOf, type Outcome } from "../../work/outcome.ts";
import type { EntryAttempt } from "./entry-attempt.ts";
import type { GroupRecord } from "./group-record.ts";
import type { EntrySettle, RunningEntry, SettleEntry } from "./runner.ts";

/** What a settle needs of its consumer. */
export interface SettleAccess {
  readonly record: GroupRecord;
  /** Asks Valkey whether the lease goes on, where that is in doubt. */
  confirmLease(): Promise<void>;
}

/** The settle of one attempt, and what it came to. */
export class SettleOnce implements EntrySettle {
  readonly #running: RunningEntry<unknown>;
  readonly #access: SettleAccess;
  #result: Promise<boolean> | undefined;

  constructor(running: RunningEntry<unknown>, access: SettleAccess) {
    this.#running = running;
    this.#access = access;
  }

  readonly settle: SettleEntry = (effects) => {
    const { id } = this.#running.entry;
    if (this.#result) {
      return Promise.reject(new KeylineError("ALREADY_SETTLED", `settle was called twice for entry ${id}: put all effects into one call`));
    }
    this.#result = this.#settle(effects);
    // Its end counts also for a handler that does not wait for it.
    this.#result.catch(() => undefined);
    return this.#result;
  };

  async outcome(): Promise<Outcome | undefined> {
    if (!this.#result) return undefined;
    try {
      return (await this.#result) ? { kind: "settled" } : settledElsewhere(this.#running.entry);
    } catch (error) {
      if (error instanceof KeylineError && error.code === "LEASE_LOST") return { kind: "lost", error };
      return outcomeOf(error);
    }
  }

  async #settle(effects: (tx: Transaction) => Promise<void>): Promise<boolean> {
    const { held, entry } = this.#running;
    if (!entry.abortReason) await this.#access.confirmLease();
    if (entry.abortReason) throw entry.abortReason;
    if (held.phase !== "running") throw leaseLost(entry);
    const { record } = this.#access;
    const job = { id: held.id, attempts: held.attempt - 1, isAgain: record.isDoubtful(held) };
    return (await record.settle({ jobs: [job], effects, signal: entry.signal })).has(held.id);
  }
}

function leaseLost({ id, stream, group }: EntryAttempt<unknown>): KeylineError {
  const why = `the consumer did not answer for longer than its lease, and the group ${group} gave the entry to another one`;
  return new KeylineError("LEASE_LOST", `Entry ${id} of stream ${stream} was not settled: ${why}`);
}

function settledElsewhere({ id, stream, group }: EntryAttempt<unknown>): Outcome {
  const message = `Entry ${id} of stream ${stream} was settled for group ${group} by somebody else: this attempt's effects were left out`;
  return { kind: "lost", error: new KeylineError("LEASE_LOST", message) };
}
