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

/** INVALID_OPTION for an option that `what` does not know: one that is misspelt would be left at its default without a word. */
export function checkOptionNames(what: string, options: object, known: ReadonlySet<string>): void {
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue;
    throw new KeylineError("INVALID_OPTION", `${what} has no option ${JSON.stringify(name)}: it knows ${[...known].join(", ")}`);
  }
}
