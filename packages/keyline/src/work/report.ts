import type { ShiftCounts } from "../runtime/counters.ts";
import type { Emitter } from "../runtime/emitter.ts";
import { KeylineError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Seam } from "../runtime/probe.ts";
import type { Attempt } from "./attempt.ts";
import type { Held } from "./held.ts";
import { sentence, type Trade } from "./trade.ts";
import type { Verdict } from "./verdict.ts";

/** What a worker and a consumer tell their listeners. */
export interface ShiftEvents<Work> {
  /** It ended well, and with it its effects. */
  readonly completed: readonly [attempt: Work];
  /** The attempt failed; the next one begins after so many milliseconds. */
  readonly retried: readonly [attempt: Work, error: Error, delayMs: number];
  /** It is a dead letter. Undefined where it could not even be read. */
  readonly dead: readonly [attempt: Work | undefined, error: Error];
  /** Something went wrong outside the handler, such as a lost lease. */
  readonly error: readonly [error: Error];
  /** There is nothing to take, and nothing runs. */
  readonly idle: readonly [];
}

/** The same, and what comes only of what can be cancelled. */
export interface ReportedEvents<Work> extends ShiftEvents<Work> {
  readonly cancelled: readonly [attempt: Work];
}

function isCancellation(error: Error | undefined): boolean {
  return error instanceof KeylineError && error.code === "JOB_CANCELLED";
}

/** Says what became of what was taken. */
export class Report<Unit extends Held<Work>, Work extends Attempt> {
  readonly #trade: Trade<Unit>;
  readonly #events: Emitter<ReportedEvents<Work>>;
  readonly #counts: ShiftCounts;
  readonly #logger: Logger;
  readonly #seam: Seam;

  constructor(
    trade: Trade<Unit>,
    {
      events,
      counts,
      logger,
      seam,
    }: { readonly events: Emitter<ReportedEvents<Work>>; readonly counts: ShiftCounts; readonly logger: Logger; readonly seam: Seam },
  ) {
    this.#trade = trade;
    this.#events = events;
    this.#counts = counts;
    this.#logger = logger;
    this.#seam = seam;
  }

  /** The verdict took effect. */
  ended(unit: Unit, verdict: Verdict): void {
    const { attempt } = unit;
    if (attempt && this.#seam.probe) this.#seam.probe.settled(attempt, verdict.kind, "error" in verdict ? verdict.error : undefined);
    switch (verdict.kind) {
      case "settle":
        if (attempt) this.#completed(attempt);
        return;
      case "drop":
        if (attempt && isCancellation(verdict.error)) this.#events.emit("cancelled", attempt);
        else if (verdict.error) this.#overtaken(verdict.error);
        else if (attempt) this.#completed(attempt);
        return;
      case "yield":
        return;
      case "retry":
        if (verdict.error) {
          this.#counts.failed++;
          this.#counts.retried++;
        }
        if (attempt) this.#events.emit("retried", attempt, verdict.error ?? new Error("snoozed"), verdict.delayMs);
        return;
      case "bury":
        this.#counts.dead++;
        if (attempt) this.#counts.failed++;
        this.#noteDead(unit, verdict.error);
        this.#events.emit("dead", attempt, verdict.error);
    }
  }

  #completed(attempt: Work): void {
    this.#counts.completed++;
    this.#events.emit("completed", attempt);
  }

  #overtaken(error: Error): void {
    this.#counts.overtaken++;
    this.error(error);
  }

  #noteDead(unit: Unit, error: Error): void {
    const { fields, unit: what } = this.#trade;
    this.#logger.warn({ ...fields, id: this.#trade.idOf(unit), error: error.message }, `${what} is a dead letter`);
  }

  /** It could not be ended: it was not held any more. */
  leaseLost(unit: Unit): void {
    const { role } = this.#trade;
    const why = `its lease ended while the ${role} did not answer, and it was given to another one`;
    const error = new KeylineError("LEASE_LOST", `${sentence(this.#trade.nameOf(unit))} is not this ${role}'s any more: ${why}`);
    if (unit.attempt) this.#seam.probe?.settled(unit.attempt, "lost", error);
    this.#overtaken(error);
  }

  /** Errors without a listener are logged. */
  error(error: Error): void {
    if (this.#events.hasListeners("error")) this.#events.emit("error", error);
    else this.#logger.error({ ...this.#trade.fields, error: error.message }, `a ${this.#trade.role} reports an error`);
  }

  idle(): void {
    this.#events.emit("idle");
  }
}
