import type { Taken } from "../../runtime/probe.ts";
import type { EntryAttempt } from "./entry-attempt.ts";
import type { HeldEntry } from "./held-entry.ts";

/** Entries as a probe is told of them. */
export function describeEntries(begun: readonly (readonly [held: HeldEntry<unknown>, entry: EntryAttempt<unknown>])[]): Taken {
  const entries = begun.map(([, entry]) => entry);
  const [first] = entries;
  return {
    place: first?.stream ?? "",
    group: first?.group,
    isBatch: false,
    ids: entries.map(({ id }) => id),
    attempt: first?.attempt,
    traces: begun.map(([{ trace }]) => trace),
    of: entries,
  };
}
