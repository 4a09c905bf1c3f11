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
  const { reason = "", attempts = 0, element = text } = readFields(text);
  try {
    const { id, data } = decodeElement(element);
    return { id, reason, attempts, data };
  } catch (error) {
    return { id: undefined, reason: reason || toError(error).message, attempts, data: element };
  }
}

// Whatever somebody put there by hand must not hide the others.
function readFields(text: string): { readonly reason?: string; readonly attempts?: number; readonly element?: string } {
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch {
    return {};
  }
}
