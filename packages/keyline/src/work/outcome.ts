import { clearTimeout, setTimeout } from "../runtime/clock.ts";
import { KeylineError, toError } from "../runtime/errors.ts";

/** How an attempt ended, seen from the handler; matched in one place, `verdict.ts`. */
export type Outcome =
  | { readonly kind: "completed"; readonly value?: unknown }
  /** The settle committed effects and the end of the job already. */
  | { readonly kind: "settled"; readonly value?: unknown }
  | { readonly kind: "failed"; readonly error: Error }
  | { readonly kind: "snoozed"; readonly delayMs: number }
  | { readonly kind: "discarded"; readonly error: Error }
  /** Somebody else settled it, or has it now. */
  | { readonly kind: "lost"; readonly error: Error };

/** Thrown by a handler: run this job or entry again after `ms` milliseconds, without counting the attempt. */
export class Snooze extends Error {
  override readonly name = "Snooze";
  readonly ms: number;

  constructor(ms: number) {
    super(`snoozed for ${ms} ms`);
    this.ms = ms;
  }
}

/** Thrown by a handler: do not try this job or entry again. It becomes a dead letter with this reason. */
export class Discard extends Error {
  override readonly name = "Discard";
}

/** Nothing waits for its next attempt for longer than this: ten years, in milliseconds. */
export const longestWaitMs = 315_360_000_000;

function snooze(ms: number): Outcome {
  if (ms >= 0 && ms <= longestWaitMs) return { kind: "snoozed", delayMs: Math.round(ms) };
  const error = new KeylineError("INVALID_OPTION", `Snooze takes milliseconds from 0 to ten years, not ${String(ms)}`);
  return { kind: "failed", error };
}

/** The outcome that something thrown stands for. */
export function outcomeOf(thrown: unknown): Outcome {
  if (thrown instanceof Snooze) return snooze(thrown.ms);
  const error = toError(thrown);
  return thrown instanceof Discard ? { kind: "discarded", error } : { kind: "failed", error };
}

/** Runs `work`; after `timeoutMs` it is told to `abort`, and the outcome is a failure, whatever the handler still does. */
export function withTimeout(work: () => unknown, abort: (reason: Error) => void, timeoutMs: number | undefined): Promise<Outcome> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    if (timeoutMs !== undefined) {
      timer = setTimeout(() => {
        const error = new KeylineError("TIMEOUT", `The attempt took longer than ${timeoutMs} ms`);
        abort(error);
        finish({ kind: "failed", error });
      }, timeoutMs);
    }
    try {
      Promise.resolve(work()).then(
        (value) => finish({ kind: "completed", value }),
        (error: unknown) => finish(outcomeOf(error)),
      );
    } catch (error) {
      finish(outcomeOf(toError(error)));
    }
  });
}

/** What counts where the handler may have settled; what it returned then belongs to that. */
export function outcomeWith(settled: Outcome | undefined, outcome: Outcome): Outcome {
  if (settled?.kind !== "settled" || outcome.kind !== "completed") return settled ?? outcome;
  return { kind: "settled", value: outcome.value };
}

/** Query builders return objects that are promises by their `then` alone. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
