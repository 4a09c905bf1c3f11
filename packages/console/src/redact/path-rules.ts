/**
 * A rule of the application's own: `password` hides fields of that name at any depth. `customer.email` hides those that stand like that at any depth, and
 * in `*.token` the star is any one name. Elements of arrays do not count as a part of the way.
 */
export interface PathRule {
  readonly parts: readonly string[];
}

const partPattern = /^[^.]{1,200}$/;

/** Throws for what is no rule: one that hides nothing by mistake would show what must not be shown. */
export function toPathRule(text: string): PathRule {
  const parts = typeof text === "string" ? text.split(".") : [];
  const last = parts.at(-1);
  if (parts.length === 0 || !parts.every((part) => partPattern.test(part)) || last === undefined) {
    throw new Error(`redact: ${JSON.stringify(text)} is no name of a field, such as "password", and no path of names, such as "*.token"`);
  }
  return { parts: parts.map((part) => part.toLowerCase()) };
}

/** Whether a field that is reached by these names is hidden. */
export function fits({ parts }: PathRule, place: readonly string[]): boolean {
  if (parts.length > place.length) return false;
  const offset = place.length - parts.length;
  return parts.every((part, index) => part === "*" || part === place[offset + index]?.toLowerCase());
}
