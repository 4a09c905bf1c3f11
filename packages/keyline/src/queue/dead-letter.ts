import { toError } from "../runtime/errors.ts";
import { decodeElement } from "./element.ts";

/** A job whose attempts are used up, or that could not be run at all. */
export interface DeadLetter {
  /** Undefined where the element could not be read. */
  readonly id: string | undefined;
  /** Why it is dead: the code or name of its last error, and its message. */
  readonly reason: string;
  readonly attempts: number;
  /** The job's data, or the text of an element that could not be read. */
  readonly data: unknown;
}

/** Reads a dead letter as it is on Valkey. */
export function readDeadLetter(text: string): DeadLetter {
  const letter = JSON.parse(text) as { readonly reason: string; readonly attempts: number; readonly element: string };
  try {
    const { id, data } = decodeElement(letter.element);
    return { id, reason: letter.reason, attempts: letter.attempts, data };
  } catch (error) {
    return { id: undefined, reason: letter.reason || toError(error).message, attempts: letter.attempts, data: letter.element };
  }
}
