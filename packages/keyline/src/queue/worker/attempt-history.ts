import { describeError, type Verdict } from "../../work/verdict.ts";
import { goneAtEnd } from "../element.ts";
import type { HeldJob } from "./held-jobs.ts";

/*
 * DESIGN. The history of a job's failed attempts travels with its element, behind all other fields, so that a job which never failed carries nothing, and
 * none is left behind by a job that ends:
 *
 *   "history":[{"at":...,"ms":...,"error":"...","stack":"..."},...]   written by workers when an attempt has failed
 *   "gone":[1764000000000,...]                          added by return-held.lua when a worker is gone: when that was found, in the server's time
 *
 * A script cannot tell the end of a history from the end of the data, but that of a list of numbers it can; so it adds to `gone`, and the next
 * worker makes entries of the history of it. On a transactional queue the row has the history: what the element says of workers that are gone counts only
 * where the rescuer could not tell the row.
 *
 * A row keeps the stack of each attempt. An element keeps that of the newest alone: when whatever a queue calls is away all of its jobs fail, and what each of them grows
 * by is Valkey's memory. That of a death is the letter's, and in no history.
 */

/** An attempt that failed. */
export interface FailedAttempt {
  /** When it began, in milliseconds since 1970; where its worker was gone: when that was found; where a child's death has killed a job that waited for it: when. */
  readonly at: number;
  /** How many milliseconds it took; undefined where its worker was gone, or a child's death has killed it. */
  readonly tookMs: number | undefined;
  /** The code or name of its error and its message, up to 500 characters. */
  readonly error: string;
  /** Of that error and of what caused it, up to 1,024 characters, where a handler threw it. On a plain queue the newest alone has one; of a dead letter's last attempt it is the letter's `stack`. */
  readonly stack?: string | undefined;
}

/** As it is written. */
interface Entry {
  readonly at: number;
  readonly ms?: number;
  readonly error: string;
  readonly stack?: string;
}

const mostEntries = 20;
const longestError = 500;
const longestStack = 8_192;
const longestOfAttempt = 1_024;
const workerGone = "WORKER_DIED: its worker died, or did not answer for as long as its lease";

/** The attempt that ends with this verdict, if it counts as a failed one. */
export function failedAttempt(
  { attempts, tookMs, attempt }: Pick<HeldJob<unknown>, "attempts" | "tookMs" | "attempt">,
  verdict: Verdict,
): FailedAttempt | undefined {
  if ((verdict.kind !== "retry" && verdict.kind !== "bury") || !verdict.error || verdict.attempts <= attempts) return undefined;
  const took = Math.round(tookMs);
  const stack = verdict.kind === "retry" && attempt ? stackOf(verdict.error, longestOfAttempt) : undefined;
  return { at: Date.now() - took, tookMs: took, error: cut(describeError(verdict.error), longestError), stack };
}

/** The entry of an attempt whose worker was found to be gone, for a row. */
export function workerGoneNow(): object {
  return toEntry({ at: Date.now(), tookMs: undefined, error: workerGone });
}

/** The stack of an error and of what caused it, cut to what a dead letter keeps, or shorter; undefined where there is none. */
export function stackOf(error: Error, longest = longestStack): string | undefined {
  const stacks: string[] = [];
  for (let next: unknown = error; next instanceof Error && stacks.length < 5; next = next.cause) {
    if (typeof next.stack === "string" && next.stack !== "") stacks.push(next.stack);
  }
  return stacks.length === 0 ? undefined : cut(stacks.join("\ncaused by "), longest);
}

/** What an element says of its attempts, and its text without that. */
export function splitHistory(raw: string): { readonly rest: string; readonly history: FailedAttempt[]; readonly gone: FailedAttempt[] } {
  const goneTimes = goneAtEnd.exec(raw);
  let rest = goneTimes ? `${raw.slice(0, goneTimes.index)}}` : raw;
  const field = readField(rest);
  const written = `,"history":${JSON.stringify(field)}}`;
  if (Array.isArray(field) && rest.endsWith(written)) rest = `${rest.slice(0, -written.length)}}`;
  const gone = (goneTimes?.[1] ?? "")
    .split(",")
    .flatMap((at) => (at === "" ? [] : [{ at: Number(at), tookMs: undefined, error: workerGone }]));
  return { rest, history: readHistory(field), gone };
}

/** The element with another attempt in its history, of which the newest alone has its stack. */
export function withFailure(raw: string, failed: FailedAttempt | undefined): string {
  const { rest, history, gone } = splitHistory(raw);
  const attempts = [...history, ...gone, ...(failed ? [failed] : [])].slice(-mostEntries);
  const entries = attempts.map((attempt, index) => toEntry(index === attempts.length - 1 ? attempt : { ...attempt, stack: undefined }));
  return entries.length === 0 ? raw : `${rest.trimEnd().slice(0, -1)},"history":${JSON.stringify(entries)}}`;
}

/** A history as it was written, by whomever. */
export function readHistory(field: unknown): FailedAttempt[] {
  if (!Array.isArray(field)) return [];
  return field.flatMap((entry: Partial<Entry> | null) => {
    if (typeof entry?.at !== "number" || typeof entry.error !== "string") return [];
    const { at, ms, error, stack } = entry;
    return [{ at, tookMs: typeof ms === "number" ? ms : undefined, error, ...(typeof stack === "string" && { stack }) }];
  });
}

export function toEntry({ at, tookMs, error, stack }: FailedAttempt): Entry {
  return { at, ...(tookMs !== undefined && { ms: tookMs }), error, ...(stack !== undefined && { stack }) };
}

// Payloads may be large: one that never failed is not parsed once more.
function readField(raw: string): unknown {
  if (!raw.includes(',"history":')) return undefined;
  try {
    return (JSON.parse(raw) as { readonly history?: unknown } | null)?.history;
  } catch {
    return undefined;
  }
}

// Half a character could be written to no store.
function cut(text: string, length: number): string {
  return (text.length > length ? text.slice(0, length) : text).replaceAll("\0", "").toWellFormed();
}
