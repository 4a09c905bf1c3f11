import { setTimeout as delay } from "node:timers/promises";

// What a store that is away would have said, or the one whose answers do not come.
const awayCodes = new Set(["VALKEY_UNAVAILABLE", "POSTGRES_UNAVAILABLE", "OUTCOME_UNKNOWN"]);

/** Whether somebody else could answer, as the store that was asked is away. */
export function isAway(error: unknown): boolean {
  return error instanceof Error && "code" in error && awayCodes.has(String(error.code));
}

/** Whether only PostgreSQL knows it, and nobody has said where that is. */
function isUnsaid(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "POSTGRES_REQUIRED";
}

/** Asks for what may not be known: undefined where the store that has it is away, was not named, or lets wait for too long. */
export type Ask = <Answer>(answer: Promise<Answer>) => Promise<Answer | undefined>;

/** With `withinMs` nobody waits longer than that. */
export function asking(withinMs?: number): Ask {
  return async (answer) => {
    const settled = answer.catch((error: unknown) => {
      if (isAway(error) || isUnsaid(error)) return undefined;
      throw error;
    });
    if (withinMs === undefined) return settled;
    const late = new AbortController();
    try {
      return await Promise.race([settled, delay(withinMs, undefined, { signal: late.signal })]);
    } finally {
      // What it says then is of no interest.
      settled.catch(() => undefined);
      late.abort();
    }
  };
}
