import { withoutDeath } from "../families/family-element.ts";
import type { FoundLetter, NewLetter } from "../../valkey/queue/letters.ts";
import { describeError } from "../../work/verdict.ts";
import { splitHistory, stackOf, withFailure, type FailedAttempt } from "../worker/attempt-history.ts";
import { decodeElement, withoutAttempts } from "../element.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

/** A job whose attempts are used up, or that could not be run at all. */
export interface DeadLetter {
  /** The job's, or one that was given to an element which could not be read. */
  readonly id: string;
  /** Why it is dead: the code or name of its last error, and its message. */
  readonly reason: string;
  /** Of that error and of what caused it, up to 8 KiB; undefined where no handler threw it. */
  readonly stack: string | undefined;
  /** Attempts that were made, since it was redriven if it was. */
  readonly attempts: number;
  /** When it died, in milliseconds since 1970. */
  readonly at: number;
  readonly group: string | undefined;
  /** Its attempts that failed, oldest first: the last 20, those before a redrive too. */
  readonly history: readonly FailedAttempt[];
  /** The job's data, or the text of an element that could not be read. */
  readonly data: unknown;
}

/** What is known of a dead letter without its job. */
export interface LetterHead {
  /** By which its store knows it. */
  readonly key: string;
  /** The time of its death in microseconds since 1970. */
  readonly place: number;
  readonly id: string;
  readonly reason: string;
  readonly attempts: number;
  readonly group: string | undefined;
}

interface Burial {
  readonly error: Error;
  readonly attempts: number;
}

interface Why {
  readonly ownId?: true | undefined;
  readonly reason: string;
  readonly attempts: number;
  readonly group?: string | undefined;
}

/** The dead letter of a plain queue. Its element is as a redrive puts it back: without its attempts, with its history. */
export function writeLetter(job: HeldJob<unknown>, burial: Burial, failed: FailedAttempt | undefined): NewLetter {
  const { element, raw } = job;
  const why: Why = {
    // In front: a script looks for it there.
    ownId: element?.hasOwnId ? true : undefined,
    reason: describeError(burial.error).toWellFormed(),
    attempts: burial.attempts,
    group: element?.group,
  };
  const stack = stackAtEnd(job, burial);
  const text = element ? withFailure(withoutDeath(withoutAttempts(raw)), failed) : raw;
  return {
    id: element?.id ?? "",
    why: JSON.stringify(why),
    job: `${stack === undefined ? "" : JSON.stringify(stack)}\n${text}`,
  };
}

/** The stack that a dead letter keeps: that of a handler, as no other says more than the reason. */
export function stackAtEnd({ attempt, attempts }: HeldJob<unknown>, burial: Burial): string | undefined {
  return attempt && burial.attempts > attempts ? stackOf(burial.error) : undefined;
}

export function readHead({ key, why }: FoundLetter): LetterHead {
  const separator = key.lastIndexOf("\x1f");
  const { reason = "", attempts = 0, group } = readWhy(why);
  return { key, place: Number(key.slice(separator + 1)), id: key.slice(0, separator), reason, attempts, group };
}

/** The letter with its job, as `writeLetter` wrote that. */
export function readLetter({ place, id, reason, attempts, group }: LetterHead, job: string): DeadLetter {
  const end = job.indexOf("\n");
  const stack = end > 0 ? (JSON.parse(job.slice(0, end)) as string) : undefined;
  const element = job.slice(end + 1);
  const { history } = splitHistory(element);
  return { id, reason, stack, attempts, at: Math.floor(place / 1_000), group, history, data: dataOf(element) };
}

function dataOf(element: string): unknown {
  try {
    return decodeElement(element).data;
  } catch {
    return element;
  }
}

/** Why a letter is dead, as its writer put it. */
export function readWhy(text: string): Partial<Why> {
  try {
    return (JSON.parse(text) as Why | null) ?? {};
  } catch {
    // Somebody deleted or wrote it by hand.
    return {};
  }
}
