import type { Payload } from "../api/basics.ts";
import type { Redactor } from "./redactor.ts";

const mostInList = 4_096;
const previewLength = 240;

/** Payloads as they are shown. */
export class Payloads {
  readonly #redactor: Redactor;

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** In a list: without its data where that is large. */
  inList(value: unknown): Payload {
    return this.#payload(value, mostInList);
  }

  whole(value: unknown): Payload {
    return this.#payload(value, Infinity);
  }

  #payload(value: unknown, most: number): Payload {
    const data = this.#redactor.value(value) ?? null;
    const json = jsonOf(data);
    const bytes = Buffer.byteLength(jsonOf(value ?? null));
    const isWhole = json.length <= most;
    return { bytes, preview: json.slice(0, previewLength).toWellFormed(), data: isWhole ? data : null, isWhole };
  }
}

/** No payload is deeper than what JSON can be made of, but one that somebody else wrote may be. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    return '"[cannot be shown]"';
  }
}
