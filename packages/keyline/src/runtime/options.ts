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
