import { KeylineError } from "./errors.ts";

const namePattern = /^[A-Za-z0-9._:-]{1,200}$/;

/** The name itself, or INVALID_NAME: a name with braces would move its keys to another cluster slot, one with a line feed would forge log lines. */
export function checkName(kind: string, name: string): string {
  if (typeof name !== "string" || !namePattern.test(name)) {
    throw new KeylineError(
      "INVALID_NAME",
      `${JSON.stringify(name)} is no name for a ${kind}: use 1 to 200 of the characters A-Z a-z 0-9 . _ : -`,
    );
  }
  return name;
}

/** An id that a caller gave, or INVALID_ID. */
export function checkId(id: string, of = "a job"): string {
  if (typeof id !== "string" || !namePattern.test(id)) {
    throw new KeylineError("INVALID_ID", `${JSON.stringify(id)} is no id for ${of}: use 1 to 200 of the characters A-Z a-z 0-9 . _ : -`);
  }
  return id;
}

// Quotation marks and backslashes would look different in JSON, where scripts read them.
// oxlint-disable-next-line no-control-regex -- they are what is refused
const keyPattern = /^[^\0-\x1f\x7f"\\]{1,200}$/;

/** A key of the application's own that `option` takes, such as a group's, or INVALID_OPTION. */
export function checkKey(option: string, key: string): string {
  if (typeof key !== "string" || !keyPattern.test(key) || !key.isWellFormed()) {
    throw new KeylineError(
      "INVALID_OPTION",
      `${option} must be 1 to 200 characters without control characters, quotation marks and backslashes, not ${JSON.stringify(key)}`,
    );
  }
  return key;
}

const patternPattern = /^[A-Za-z0-9._:*?-]{1,200}$/;

/** A pattern of names: their characters, `*` for any run of characters and `?` for one. Throws INVALID_NAME. */
export function checkPattern(pattern: string): string {
  if (typeof pattern !== "string" || !patternPattern.test(pattern)) {
    throw new KeylineError(
      "INVALID_NAME",
      `${JSON.stringify(pattern)} is no pattern of channels: use 1 to 200 of the characters A-Z a-z 0-9 . _ : - and * or ?`,
    );
  }
  return pattern;
}
