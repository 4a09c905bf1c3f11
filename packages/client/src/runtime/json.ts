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
  throw new ClientError("NOT_SERIALIZABLE", `The data for ${subject} is not JSON: pass plain objects`, { cause });
}
