import type { BackoffFunction } from "../runtime/backoff.ts";
import { KeylineError } from "../runtime/errors.ts";
import { longestWaitMs, type Outcome } from "./outcome.ts";

/** What a handler's outcome comes to: for a job, or for an entry of a stream and one of its groups. */
export type Verdict =
  | { readonly kind: "settle" }
  /** Nothing is left to record; it goes. */
  | { readonly kind: "drop"; readonly error: Error | undefined }
  /** It came before its turn: it goes back, and no attempt is counted. */
  | { readonly kind: "yield" }
  | { readonly kind: "retry"; readonly attempts: number; readonly delayMs: number; readonly error: Error | undefined }
  | { readonly kind: "bury"; readonly attempts: number; readonly error: Error };

export interface AttemptPolicy {
  readonly maxAttempts: number;
  readonly backoff: BackoffFunction;
}

/** The one place where outcomes are matched. `before` counts the attempts that had failed before this one. */
export function verdictOf(before: number, outcome: Outcome, policy: AttemptPolicy): Verdict {
  switch (outcome.kind) {
    case "completed":
      return { kind: "settle" };
    case "settled":
      return { kind: "drop", error: undefined };
    case "lost":
      return { kind: "drop", error: outcome.error };
    case "snoozed":
      return { kind: "retry", attempts: before, delayMs: outcome.delayMs, error: undefined };
    case "discarded":
      return { kind: "bury", attempts: before + 1, error: outcome.error };
    case "failed": {
      const attempts = before + 1;
      if (attempts >= policy.maxAttempts) return { kind: "bury", attempts, error: outcome.error };
      return { kind: "retry", attempts, delayMs: waitBefore(policy, attempts), error: outcome.error };
    }
  }
}

// A backoff function of the user's that throws or answers nonsense must not cost the job.
function waitBefore(policy: AttemptPolicy, failedAttempts: number): number {
  try {
    const wait = policy.backoff(failedAttempts);
    return wait >= 0 && wait <= longestWaitMs ? Math.round(wait) : 1_000;
  } catch {
    return 1_000;
  }
}

/** An error as dead letters keep it: its code or name, and its message. */
export function describeError(error: Error): string {
  const text = error instanceof KeylineError ? `${error.code}: ${error.message}` : `${error.name}: ${error.message}`;
  return text.slice(0, 2_000).replaceAll("\0", "");
}
