import { KeylineError } from "../runtime/errors.ts";
import { settledElsewhere } from "./attempt.ts";
import type { JobRecord } from "./job-record.ts";
import { withAttempts } from "./element.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { QueuePolicy } from "./options.ts";
import { longestWaitMs, type Outcome } from "./outcome.ts";

/** What becomes of a job's element when its attempt has ended. */
export type Ending =
  | { readonly kind: "settle" }
  | { readonly kind: "retry"; readonly element: string; readonly delayMs: number }
  | { readonly kind: "bury"; readonly letter: string };

/** What a handler's outcome comes to for the job: the one place where outcomes are matched. */
export type Verdict =
  | { readonly kind: "settle" }
  /** Nothing is left to record; the element goes. */
  | { readonly kind: "drop"; readonly error: Error | undefined }
  | { readonly kind: "retry"; readonly attempts: number; readonly delayMs: number; readonly error: Error | undefined }
  | { readonly kind: "bury"; readonly attempts: number; readonly error: Error };

export function judge(job: HeldJob<unknown>, outcome: Outcome, policy: QueuePolicy): Verdict {
  const before = job.element?.attempts ?? 0;
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
      if (!job.element || attempts >= (job.element.maxAttempts ?? policy.maxAttempts)) {
        return { kind: "bury", attempts, error: outcome.error };
      }
      return { kind: "retry", attempts, delayMs: waitBefore(policy, attempts), error: outcome.error };
    }
  }
}

// A backoff function of the user's that throws or answers nonsense must not cost the job.
function waitBefore(policy: QueuePolicy, failedAttempts: number): number {
  try {
    const wait = policy.backoff(failedAttempts);
    return wait >= 0 && wait <= longestWaitMs ? Math.round(wait) : 1_000;
  } catch {
    return 1_000;
  }
}

/**
 * Brings a verdict to PostgreSQL where that holds the record, and returns what remains to be done on Valkey. First the record: if
 * this process dies in between, the element is still in its held list, is returned, and the row decides.
 */
export async function record(
  job: HeldJob<unknown>,
  verdict: Verdict,
  jobRecord: JobRecord | undefined,
  signal: AbortSignal,
): Promise<Ending> {
  if (verdict.kind === "drop") return { kind: "settle" };
  if (!jobRecord) {
    if (verdict.kind === "settle") return { kind: "settle" };
    if (verdict.kind === "bury") return { kind: "bury", letter: deadLetter(job, verdict) };
    return { kind: "retry", element: withAttempts(job.raw, verdict.attempts), delayMs: verdict.delayMs };
  }
  // What is no element has no row: it came from a foreign writer, and its dead letter is kept where it was found.
  if (!job.element) return { kind: "bury", letter: verdict.kind === "bury" ? deadLetter(job, verdict) : "" };
  const { id, attempts: heldAttempts } = job.element;
  switch (verdict.kind) {
    case "settle": {
      const isOurs = await jobRecord.complete({ id, attempts: heldAttempts });
      return isOurs ? { kind: "settle" } : drop(job, settledElsewhere({ id, queue: jobRecord.table.queue }).error);
    }
    case "bury":
      await jobRecord.bury({ id, heldAttempts, attempts: verdict.attempts, error: describe(verdict.error) }, signal);
      return { kind: "settle" };
    case "retry": {
      const { attempts, delayMs } = verdict;
      const isOurs = await jobRecord.retry(
        { id, heldAttempts, attempts, delayMs, error: verdict.error ? describe(verdict.error) : "" },
        signal,
      );
      if (!isOurs) return drop(job, settledElsewhere({ id, queue: jobRecord.table.queue }).error);
      return { kind: "retry", element: withAttempts(job.raw, attempts), delayMs };
    }
  }
}

/** The row says that the job is not this worker's to end. */
function drop(job: HeldJob<unknown>, error: Error): Ending {
  job.verdict = { kind: "drop", error };
  return { kind: "settle" };
}

/** A dead letter of a plain queue: why, after how many attempts, when, and the element as it was. */
function deadLetter(job: HeldJob<unknown>, { error, attempts }: { readonly error: Error; readonly attempts: number }): string {
  return JSON.stringify({ reason: describe(error), attempts, deadAt: Date.now(), element: job.raw });
}

function describe(error: Error): string {
  const text = error instanceof KeylineError ? `${error.code}: ${error.message}` : `${error.name}: ${error.message}`;
  return text.slice(0, 2_000).replaceAll("\0", "");
}
