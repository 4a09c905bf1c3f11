import { KeylineError } from "./errors.ts";

/** Throws INVALID_OPTION when what a name stands for was made with other options than it is asked for with now. */
export function checkSameOptions(
  kind: "queue" | "channel" | "stream",
  name: string,
  { before, now }: { readonly before: unknown; readonly now: unknown },
): void {
  if (isAlike(before, now)) return;
  throw new KeylineError(
    "INVALID_OPTION",
    `The ${kind} ${name} was made before with other options: give the same ones, or call ${kind}(${JSON.stringify(name)}) to get it again`,
  );
}

/** Plain objects are alike when their fields are; functions, schemas and everything else when they are the same. */
function isAlike(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (!isPlain(one) || !isPlain(other)) return false;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  for (const name of names) if (!isAlike(one[name], other[name])) return false;
  return true;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype && !("~standard" in value);
}
