import { longestUserId } from "./limits.ts";

const pattern = new RegExp(`^[A-Za-z0-9._-]{1,${longestUserId}}$`);

/** Whether a user may be called this: it becomes a part of a channel's name, so it has neither `:` nor `*`. */
export function isUserId(text: string): boolean {
  return pattern.test(text);
}
