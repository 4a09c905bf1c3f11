import { KeylineError } from "../../runtime/errors.ts";
import { asParent, familyOf } from "../families/family-element.ts";
import { describeError, verdictOf, type AttemptPolicy, type Verdict } from "../../work/verdict.ts";
import type { Failure } from "../../postgres/job/failed-rows.ts";
import type { ResultRow } from "../../postgres/job/outcome-table.ts";
import type { NewLetter } from "../../valkey/queue/letters.ts";
import { failedAttempt, splitHistory, toEntry, withFailure, type FailedAttempt } from "./attempt-history.ts";
import { stackAtEnd, writeLetter } from "../letters/dead-letter.ts";
import { withAttempts } from "../element.ts";
import type { HeldJob, Parked } from "./held-jobs.ts";
import { isCancellation, JobCancelledError } from "../results/job-errors.ts";
import type { JobRecord } from "./job-record.ts";
import { settledElsewhere } from "./job-settle.ts";

/** What becomes of a job's element when its attempt has ended. */
export type Disposal =
  | { readonly kind: "settle" }
  | { readonly kind: "retry"; readonly element: string; readonly delayMs: number; readonly noteScheduled?: () => void }
  | { readonly kind: "yield" }
  /** It rests until its children have ended. */
  | { readonly kind: "park"; readonly element: string; readonly family: string; readonly delayMs: number }
  | { readonly kind: "bury"; readonly letter: NewLetter | undefined };

interface DisposalParts {
  readonly record: JobRecord | undefined;
  /** The attempt, if it failed. */
  readonly failed: FailedAttempt | undefined;
  readonly signal: AbortSignal;
  /** For how long its result is kept; 0: not at all. */
  readonly keepMs: number;
  readonly policy: AttemptPolicy;
  /** Is told of a result that the record refuses, of a job that has ended. */
  readonly onError: (error: Error) => void;
}

/**
 * Brings a verdict to PostgreSQL where that holds the record, and returns what remains to be done on Valkey. First the record: if
 * this process dies in between, the element is still in its held list, is returned, and the row decides.
 */
export async function disposalOf(job: HeldJob<unknown>, verdict: Verdict, parts: DisposalParts): Promise<Disposal> {
  const { record, failed, signal, keepMs } = parts;
  if (verdict.kind === "drop") {
    job.isCancelled ||= isCancellation(verdict.error);
    if (record && verdict.error) await noteElsewhere(job, record);
    if (record) await closeResult(job, record, parts);
    return { kind: "settle" };
  }
  if (verdict.kind === "yield") return { kind: "yield" };
  if (!record) {
    if (verdict.kind === "settle") return { kind: "settle" };
    if (verdict.kind === "bury") return { kind: "bury", letter: writeLetter(job, verdict, failed) };
    if (job.waits && job.element) {
      return { kind: "park", element: asParent(job.raw), family: familyOf(job.element), delayMs: verdict.delayMs };
    }
    const own = job.hasFamily ? asParent(job.raw) : job.raw;
    const raw = failed ? withFailure(own, failed) : own;
    return { kind: "retry", element: withAttempts(raw, verdict.attempts), delayMs: verdict.delayMs };
  }
  // What is no element has no row: it came from a foreign writer, and its dead letter is kept where it was found.
  if (!job.element) return { kind: "bury", letter: verdict.kind === "bury" ? writeLetter(job, verdict, failed) : undefined };
  const { id, attempts: heldAttempts } = job.element;
  switch (verdict.kind) {
    case "settle": {
      try {
        const isOurs = await record.complete({ id, attempts: heldAttempts, period: job.rowData?.period, result: keptRow(job, keepMs) });
        return isOurs ? { kind: "settle" } : await drop(job, id, record);
      } catch (error) {
        if (!isRefused(error)) throw error;
        // As one that is no JSON.
        job.verdict = verdictOf(job.attempts, { kind: "failed", error }, parts.policy);
        return disposalOf(job, job.verdict, { ...parts, failed: failedAttempt(job, job.verdict) });
      }
    }
    case "bury": {
      const isOurs = await record.bury({ id, heldAttempts, ...failureOf(job, verdict, failed), stack: stackAtEnd(job, verdict) }, signal);
      return isOurs ? { kind: "settle" } : drop(job, id, record);
    }
    case "retry": {
      if (job.parked) return parkedDisposal(id, job.parked, record);
      const { attempts, delayMs } = verdict;
      const noteScheduled = await record.retry({ id, heldAttempts, ...failureOf(job, verdict, failed), delayMs }, signal);
      if (!noteScheduled) return drop(job, id, record);
      return { kind: "retry", element: withAttempts(job.raw, attempts), delayMs, noteScheduled };
    }
  }
}

/** A result that comes behind its settle: the job has ended, whatever becomes of that. */
async function closeResult(
  job: HeldJob<unknown>,
  record: JobRecord,
  { signal, onError }: Pick<DisposalParts, "signal" | "onError">,
): Promise<void> {
  const { element, result } = job;
  const { openIn, json } = result ?? {};
  if (!element || openIn === undefined) return;
  try {
    await record.closeResult(element.id, { json, openIn }, signal);
  } catch (error) {
    if (!isRefused(error)) throw error;
    onError(error);
    job.result = { json: undefined, openIn };
    await record.closeResult(element.id, { json: undefined, openIn }, signal);
  }
}

function isRefused(error: unknown): error is KeylineError {
  return error instanceof KeylineError && error.code === "NOT_STORABLE";
}

/** The row says already that it is parked. Where it was woken meanwhile another element is on its way. */
async function parkedDisposal(id: string, parked: Parked, record: JobRecord): Promise<Disposal> {
  if (parked === "woken") return { kind: "settle" };
  return { kind: "retry", ...parked, noteScheduled: await record.parked(id, parked) };
}

function keptRow({ element, result }: HeldJob<unknown>, keepMs: number): ResultRow | undefined {
  return element && (keepMs > 0 || element.isChild) ? { id: element.id, json: result?.json, keepMs, isChild: element.isChild } : undefined;
}

/** The row says that the job is not this worker's to end. */
async function drop(job: HeldJob<unknown>, id: string, record: JobRecord): Promise<Disposal> {
  const { cancelled, queue } = record.table;
  const isCancelled = (await cancelled.areCancelled([id])).has(id);
  job.isCancelled ||= isCancelled;
  await noteElsewhere(job, record);
  job.verdict = { kind: "drop", error: isCancelled ? new JobCancelledError({ id, queue }) : settledElsewhere({ id, queue }).error };
  job.result = undefined;
  return { kind: "settle" };
}

/**
 * Whoever ended it may have lost its lease, and may not have told: then those who follow events are told here. And an attempt may be refused because it had data from before the job was
 * updated, by the only element that is there: then the relay brings the present one.
 */
async function noteElsewhere(job: HeldJob<unknown>, record: JobRecord): Promise<void> {
  const { row, isCancelled } = job;
  if (!row || isCancelled) return;
  job.elsewhere = (await record.table.failed.elsewhere([row.id]))(row.id);
  if (job.elsewhere === "open") await record.bringChanged(row);
}

/** What the row is told of an attempt that failed. */
function failureOf(
  job: HeldJob<unknown>,
  { attempts, error }: { readonly attempts: number; readonly error: Error | undefined },
  failed: FailedAttempt | undefined,
): Omit<Failure, "heldAttempts"> {
  return {
    heldParks: job.element?.parks ?? 0,
    period: job.rowData?.period,
    attempts,
    error: error ? describeError(error) : "",
    failed: failed && JSON.stringify(toEntry(failed)),
    gone: splitHistory(job.raw).gone.map((attempt) => JSON.stringify(toEntry(attempt))),
  };
}
