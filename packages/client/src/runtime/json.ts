import { ClientError } from "../client-error.ts";

/** The text of `value` as it is now, or NOT_SERIALIZABLE. */
export function toJson(subject: string, value: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  throw new ClientError("NOT_SERIALIZABLE", `The data for ${subject} cannot be written as JSON: pass null, or plain objects`, { cause });
}

/** Whether `text` takes more than `limit` bytes of UTF-8. */
export function isLongerThan(text: string, limit: number): boolean {
  // A UTF-16 unit is at most three bytes of UTF-8, so that most texts need no count.
  return text.length * 3 > limit && new TextEncoder().encode(text).length > limit;
}
