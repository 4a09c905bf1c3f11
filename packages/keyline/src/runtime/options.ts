import { KeylineError } from "./errors.ts";

/** A whole number within bounds, or INVALID_OPTION that names the option. */
export function checkInteger(option: string, value: number, bounds: { readonly min: number; readonly max?: number }): number {
  const max = bounds.max ?? Number.MAX_SAFE_INTEGER;
  if (!Number.isSafeInteger(value) || value < bounds.min || value > max) {
    const range = bounds.max === undefined ? `of at least ${bounds.min}` : `from ${bounds.min} to ${max}`;
    throw new KeylineError("INVALID_OPTION", `${option} must be a whole number ${range}, not ${String(value)}`);
  }
  return value;
}

/** Milliseconds that a timer can wait for, or INVALID_OPTION. */
export function checkTimeout(timeout: number | undefined, min: 0 | 1): void {
  if (timeout !== undefined) checkInteger("timeout", timeout, { min, max: 2_147_483_647 });
}

/** INVALID_OPTION for what is no function. */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== "function") throw new KeylineError("INVALID_OPTION", `${what} must be a function, not ${nameOf(value)}`);
}

/** INVALID_OPTION for what is neither true nor false; undefined is its default. */
export function checkFlag(option: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new KeylineError("INVALID_OPTION", `${option} must be true or false, not ${nameOf(value)}`);
}

/** INVALID_OPTION for what is no object, and for an option that `what` does not know: one that is misspelt would be left at its default without a word. */
export function checkOptionNames(what: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new KeylineError(
      "INVALID_OPTION",
      `${what} takes an object of options, not ${nameOf(options)}: it knows ${[...known].join(", ")}`,
    );
  }
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue;
    throw new KeylineError("INVALID_OPTION", `${what} has no option ${JSON.stringify(name)}: it knows ${[...known].join(", ")}`);
  }
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return value === null || value === undefined || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : `a ${typeof value}`;
}
