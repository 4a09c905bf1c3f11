import { KeylineError } from "./errors.ts";
import { checkInteger, checkOptionNames } from "./options.ts";

/** How long to wait before the next attempt: a rule, or a function from the attempt that failed (1 for the first) to milliseconds. */
export type Backoff =
  | {
      readonly type: "exponential" | "fixed";
      /** Milliseconds before the second attempt. Default 1,000. */
      readonly delay?: number;
      /** The longest wait in milliseconds. Default one hour. */
      readonly max?: number;
      /** The share of the wait, 0 to 1, that is left to chance, so that what failed together does not come back together. Default 0.2. */
      readonly jitter?: number;
    }
  | ((attempt: number) => number);

export type BackoffFunction = (attempt: number) => number;

const optionNames = new Set(["type", "delay", "max", "jitter"]);

/** The function that `backoff` stands for; by default exponential from one second to one hour. Throws INVALID_OPTION. */
export function toBackoffFunction(backoff: Backoff = { type: "exponential" }, random: () => number = Math.random): BackoffFunction {
  if (typeof backoff === "function") return backoff;
  checkOptionNames("backoff", backoff, optionNames);
  const { type, delay = 1_000, max = 3_600_000, jitter = 0.2 } = backoff;
  if (type !== "exponential" && type !== "fixed") {
    throw new KeylineError("INVALID_OPTION", `backoff.type must be "exponential" or "fixed", not ${JSON.stringify(type)}`);
  }
  checkInteger("backoff.delay", delay, { min: 0 });
  checkInteger("backoff.max", max, { min: 0 });
  if (!(jitter >= 0 && jitter <= 1)) {
    throw new KeylineError("INVALID_OPTION", `backoff.jitter must be a number from 0 to 1, not ${String(jitter)}`);
  }
  return (attempt) => {
    const grown = type === "fixed" ? delay : delay * 2 ** Math.min(attempt - 1, 40);
    const wait = Math.min(grown, max);
    return Math.round(wait * (1 - jitter * random()));
  };
}
