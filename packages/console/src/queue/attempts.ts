import type { FailedAttempt as KeylineAttempt } from "keyline";
import type { FailedAttempt } from "../api/job.ts";
import type { Redactor } from "../redact/redactor.ts";

export function toAttempts(
  redactor: Redactor,
  history: readonly KeylineAttempt[],
  { hasStacks }: { readonly hasStacks: boolean },
): FailedAttempt[] {
  return history.map(({ at, tookMs, error, stack }) => ({
    at,
    tookMs: tookMs ?? null,
    error: redactor.text(error),
    stack: stack === undefined || !hasStacks ? null : redactor.text(stack),
  }));
}
