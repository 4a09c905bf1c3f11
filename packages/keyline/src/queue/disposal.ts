import { describeError, type Verdict } from "../work/verdict.ts";
import { withAttempts } from "./element.ts";
import type { HeldJob } from "./held-jobs.ts";
import type { JobRecord } from "./job-record.ts";
import { settledElsewhere } from "./job-settle.ts";

/** What becomes of a job's element when its attempt has ended. */
export type Disposal =
  | { readonly kind: "settle" }
  | { readonly kind: "retry"; readonly element: string; readonly delayMs: number; readonly noteScheduled?: () => void }
  | { readonly kind: "yield" }
  | { readonly kind: "bury"; readonly letter: string };

/**
 * Brings a verdict to PostgreSQL where that holds the record, and returns what remains to be done on Valkey. First the record: if
 * this process dies in between, the element is still in its held list, is returned, and the row decides.
 */
export async function disposalOf(
  job: HeldJob<unknown>,
  verdict: Verdict,
  { record, signal }: { readonly record: JobRecord | undefined; readonly signal: AbortSignal },
): Promise<Disposal> {
  if (verdict.kind === "drop") return { kind: "settle" };
  if (verdict.kind === "yield") return { kind: "yield" };
  if (!record) {
    if (verdict.kind === "settle") return { kind: "settle" };
    if (verdict.kind === "bury") return { kind: "bury", letter: deadLetter(job, verdict) };
    return { kind: "retry", element: withAttempts(job.raw, verdict.attempts), delayMs: verdict.delayMs };
  }
  // What is no element has no row: it came from a foreign writer, and its dead letter is kept where it was found.
  if (!job.element) return { kind: "bury", letter: verdict.kind === "bury" ? deadLetter(job, verdict) : "" };
  const { id, attempts: heldAttempts } = job.element;
  switch (verdict.kind) {
    case "settle": {
      const isOurs = await record.complete({ id, attempts: heldAttempts });
      return isOurs ? { kind: "settle" } : drop(job, settledElsewhere({ id, queue: record.table.queue }).error);
    }
    case "bury":
      await record.bury({ id, heldAttempts, attempts: verdict.attempts, error: describeError(verdict.error) }, signal);
      return { kind: "settle" };
    case "retry": {
      const { attempts, delayMs } = verdict;
      const error = verdict.error ? describeError(verdict.error) : "";
      const noteScheduled = await record.retry({ id, heldAttempts, attempts, delayMs, error }, signal);
      if (!noteScheduled) return drop(job, settledElsewhere({ id, queue: record.table.queue }).error);
      return { kind: "retry", element: withAttempts(job.raw, attempts), delayMs, noteScheduled };
    }
  }
}

/** The row says that the job is not this worker's to end. */
function drop(job: HeldJob<unknown>, error: Error): Disposal {
  job.verdict = { kind: "drop", error };
  return { kind: "settle" };
}

/** A dead letter of a plain queue: why, after how many attempts, when, and the element as it was. */
function deadLetter(job: HeldJob<unknown>, { error, attempts }: { readonly error: Error; readonly attempts: number }): string {
  return JSON.stringify({ reason: describeError(error), attempts, deadAt: Date.now(), element: job.raw });
}
