import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retryDelay } from "../../runtime/waiting.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { HeldJob } from "../worker/held-jobs.ts";
import type { ScheduleBook, TickedSchedule } from "./schedule-book.ts";
import { ticked, type ScheduleState } from "./schedule-state.ts";
import { dueTicks, ticksOf } from "./schedule-times.ts";

// Timers take at most 2^31 ms; a tick that is due later is heard of again.
const farAwayMs = 86_400_000;
// So late a tick may be while a worker starts, or a store comes back.
export const graceMs = 10_000;
const mostTicks = 100;
const mostBytes = 1_048_576;

const none: ReadonlySet<string> = new Set();

interface Plan extends TickedSchedule {
  readonly hasMissed: boolean;
}

/**
 * The duty that makes the ticks of a queue's schedules: jobs whose time has come. It sleeps until the next one is due, which it learns when it looks: at the
 * beginning of a lease, when somebody declares a schedule, and after each tick. All workers wake for the same tick, and the book lets one of them make
 * it: that one of them dies delays nothing.
 */
export class Ticker implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #book: ScheduleBook;
  readonly #logger: Logger;
  readonly #noteAdded: (jobs: number) => void;
  readonly #alarm = new Alarm(() => this.#makeDue());
  #failures = 0;

  constructor(book: ScheduleBook, { logger, noteAdded }: { readonly logger: Logger; readonly noteAdded: (jobs: number) => void }) {
    this.#book = book;
    this.#logger = logger;
    this.#noteAdded = noteAdded;
  }

  start(): void {
    // It looks when the lease has begun.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  noteBegun(): void {
    this.look();
  }

  follow({ tick }: Beat): void {
    if (tick !== undefined) this.#expect(tick);
  }

  /** Something may be due earlier than was known. */
  look(): void {
    this.#alarm.set(0);
  }

  /** Makes all ticks that are due. Rejects where a store cannot be reached. */
  async makeAll(): Promise<void> {
    // One that nobody made may have been another's, and be made when it is looked for again; or nobody understands it.
    for (let idle = 0; idle < 2;) {
      const { made, isDue } = await this.#make();
      if (!isDue) return;
      idle = made ? 0 : idle + 1;
    }
  }

  #expect(ms: number): void {
    if (ms <= farAwayMs) this.#alarm.set(ms);
  }

  async #makeDue(): Promise<void> {
    try {
      const { made, isDue, nextMs } = await this.#make();
      this.#failures = 0;
      if (made) this.#alarm.set(0);
      else if (isDue) this.#again();
      else if (nextMs !== undefined) this.#expect(nextMs);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "ticks could not be made; they are soon");
      this.#again();
    }
  }

  async #make(): Promise<{ readonly made: boolean; readonly isDue: boolean; readonly nextMs: number | undefined }> {
    const { now, due, nextMs } = await this.#book.due();
    const plans = due.flatMap((state) => this.#plan(state, now) ?? []);
    const made = plans.length > 0 ? await this.#book.tick(plans, now) : none;
    for (const plan of plans) if (made.has(plan.before.name)) this.#report(plan);
    return { made: made.size > 0, isDue: due.length > 0, nextMs };
  }

  /** Undefined where this process does not understand the schedule; others may. */
  #plan(state: ScheduleState, now: number): Plan | undefined {
    const { name, nextAt: first, spec, since, ticks: made, dataJson } = state;
    if (first === undefined) return undefined;
    try {
      const room = Math.max(1, Math.min(mostTicks, Math.floor(mostBytes / dataJson.length)));
      const due = dueTicks(ticksOf(spec, since), spec, { first, made, now, graceMs, room });
      return { before: state, after: ticked(state, due), ticks: due.ats.map((at) => ({ name, at })), hasMissed: due.hasMissed };
    } catch (error) {
      this.#logger.warn({ error: toError(error).message, schedule: name }, "the next ticks of a schedule cannot be told here");
      return undefined;
    }
  }

  #report({ before, after, ticks, hasMissed }: Plan): void {
    this.#noteAdded(ticks.length);
    if (!hasMissed) return;
    const details = { schedule: before.name, from: before.nextAt, made: ticks.length, next: after.nextAt };
    this.#logger.warn(details, "ticks of a schedule were missed: nobody was there to make them in time");
  }

  #again(): void {
    this.#alarm.set(retryDelay(this.#failures++, { first: 200, max: 3_000 }));
  }
}
