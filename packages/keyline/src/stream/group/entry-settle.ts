import { readEffects, type SettleEffects } from "../../postgres/settle/settle-statement.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { Seam } from "../../runtime/probe.ts";
import type { Outcome } from "../../work/outcome.ts";
import { SettleOnce } from "../../work/settle-once.ts";
import type { Settling } from "../../work/single-runner.ts";
import type { EntryAttempt } from "./entry-attempt.ts";
import type { GroupRecord } from "./group-record.ts";
import type { HeldEntry } from "./held-entry.ts";

/**
 * Commits the end of the entry together with what `effects` writes, in one short transaction. Resolves to true when this call did it,
 * to false when the entry was settled before: then `effects` was not called, or what it wrote was rolled back. Throws what
 * `effects` throws, LEASE_LOST when the entry was given to somebody else, and NOT_TRANSACTIONAL on a plain stream.
 *
 * `effects` may be statements instead, which are done one after the other. A function may be called again after a conflict or a lost connection, so it should only write through `tx`. Settles of the same
 * moment may share a transaction, one after the other: what is set with SET LOCAL there can be seen by the next.
 */
type SettleEntry = (effects: SettleEffects) => Promise<boolean>;

export interface ConsumeContext {
  readonly settle: SettleEntry;
}

export type ConsumeHandler<Data> = (entry: EntryAttempt<Data>, context: ConsumeContext) => unknown;
/** Of a plain stream, whose entries nothing can be settled with. */
export type PlainConsumeHandler<Data> = (entry: EntryAttempt<Data>) => unknown;

/** What a settle needs of its consumer. */
export interface SettleAccess {
  readonly record: GroupRecord;
  /** Asks Valkey whether the lease goes on, where that is in doubt. */
  confirmLease(): Promise<void>;
  readonly seam: Seam;
}

/** What handlers of a plain stream's group get. */
export const noSettling: ConsumeContext = {
  settle() {
    const message = "This stream is not transactional: make it with { transactional: true } to settle effects with its entries";
    return Promise.reject(new KeylineError("NOT_TRANSACTIONAL", message));
  },
};

/** The settle of one attempt. */
export function settleOf<Data>(
  held: HeldEntry<Data>,
  entry: EntryAttempt<Data>,
  { record, confirmLease, seam }: SettleAccess,
): Settling<ConsumeContext> {
  const commit = async (effects: SettleEffects): Promise<boolean> => {
    if (!entry.abortReason) await confirmLease();
    if (entry.abortReason) throw entry.abortReason;
    if (held.phase !== "running") throw leaseLost(entry);
    const { write } = readEffects(effects);
    const claimed = { id: held.id, attempts: held.attempts, isAgain: record.isDoubtful(held) };
    return (await record.settle({ rows: [claimed], effects: write, signal: entry.signal })).has(held.id);
  };
  const once = new SettleOnce<SettleEffects>({
    name: `entry ${entry.id}`,
    commit: (effects) => {
      const { probe } = seam;
      if (!probe) return commit(effects);
      return probe.settle([entry], (within) => commit(typeof effects === "function" ? within(effects) : effects));
    },
    settledElsewhere: () => settledElsewhere(entry),
  });
  return { context: once, outcome: () => once.outcome() };
}

function leaseLost({ id, stream, group }: EntryAttempt<unknown>): KeylineError {
  const why = `the consumer did not answer for longer than its lease, and the group ${group} gave the entry to another one`;
  return new KeylineError("LEASE_LOST", `Entry ${id} of stream ${stream} was not settled: ${why}`);
}

function settledElsewhere({ id, stream, group }: EntryAttempt<unknown>): Outcome {
  const message = `Entry ${id} of stream ${stream} was settled for group ${group} by somebody else: this attempt's effects were left out`;
  return { kind: "lost", error: new KeylineError("LEASE_LOST", message) };
}
