import type { Duty } from "../../runtime/duty.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { HeldJob } from "../worker/held-jobs.ts";
import type { AttemptEnd, Tally } from "./tally.ts";

/** The duty that counts what becomes of a worker's attempts. */
export class RateDuty implements ShiftDuty<HeldJob<unknown>, Beat>, Duty {
  readonly #tally: Tally;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  start(): void {
    // It is told.
  }

  async stop(): Promise<void> {
    // The tally is its queue's.
  }

  follow(): void {
    this.#tally.look();
  }

  noteEnded(job: HeldJob<unknown>): void {
    const { verdict, attempt } = job;
    if (!attempt && verdict?.kind === "bury") this.#tally.noteBuried();
    if (!attempt || !verdict) return;
    const end = endOf(verdict);
    if (!end) return;
    const { element, attempts, begunMs } = job;
    const since = element?.readyAt ?? element?.at;
    const waitedMs = since !== undefined && attempts === 0 ? Math.max(0, begunMs - since) : undefined;
    this.#tally.noteAttempt(end, job.ranMs ?? job.tookMs, waitedMs);
  }
}

/** Undefined for an attempt that counts as none. */
function endOf(verdict: NonNullable<HeldJob<unknown>["verdict"]>): AttemptEnd | undefined {
  switch (verdict.kind) {
    case "settle":
      return "completed";
    case "drop":
      return verdict.error ? undefined : "completed";
    case "retry":
      return verdict.error ? "retried" : undefined;
    case "bury":
      return "dead";
    case "yield":
      return undefined;
  }
}
