import { z } from "zod";
import { Problem } from "../server/problem.ts";

const namePattern = /^[A-Za-z0-9._:-]{1,200}$/;

/** Refuses what can be no name of a queue, channel or stream before anybody looks for it. */
export function checkName(kind: "queue" | "channel" | "stream", name: string): string {
  if (namePattern.test(name)) return name;
  throw new Problem({
    title: `This is not a name for a ${kind}`,
    status: 400,
    code: "INVALID_NAME",
    detail: "Use 1 to 200 of A-Z a-z 0-9 . _ : -",
  });
}

/** What a token's claim lists: exact names, and names up to a trailing `*`. */
export const namePatterns = z.array(z.string().regex(/^[A-Za-z0-9._:-]{0,200}\*?$/)).max(1_000);

/** Case matters, nothing is normalised, and a `*` elsewhere than at the end is no pattern. */
export function matchesName(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name));
}
