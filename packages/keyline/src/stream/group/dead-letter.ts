import { describeError } from "../../work/verdict.ts";
import type { HeldEntry } from "./held-entry.ts";

/** An entry that a group has given up: its attempts are used up, or it could not be run at all. */
export interface GroupDeadLetter {
  readonly id: string;
  readonly key: string | undefined;
  /** The entry's data, or its text where that is no JSON. */
  readonly data: unknown;
  /** Why it is dead: the code or name of its last error, and its message. */
  readonly reason: string;
  readonly attempts: number;
  /** When it died, in milliseconds since 1970. */
  readonly at: number;
  /** Where to go on behind it: `deadLetters({ cursor })`. */
  readonly cursor: string;
}

/** A dead letter as a plain stream keeps it on Valkey. */
export function letterOf(
  { id, key, data, trace }: HeldEntry<unknown>,
  { error, attempts }: { readonly error: Error; readonly attempts: number },
): string {
  return JSON.stringify({ id, key, data, trace, reason: describeError(error), attempts, at: Date.now() });
}

/** Reads it; undefined for a text that is none, which somebody else put there. */
export function readLetter(text: string, cursor: string): GroupDeadLetter | undefined {
  try {
    const { id, key, data, reason = "", attempts = 0, at = 0 } = JSON.parse(text) as Partial<GroupDeadLetter>;
    if (typeof id !== "string") return undefined;
    return { id, key, data: dataOf(data), reason, attempts, at, cursor };
  } catch {
    return undefined;
  }
}

/** The data of which a letter has the text. */
export function dataOf(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
