import type { DueSchedules, ScheduleBook, ScheduleRun, TickedSchedule } from "./schedule-book.ts";
import { dueAt, type ScheduleState } from "./schedule-state.ts";

/** A book in which it is later than on the server that has it: schedules are declared, and tick, by that time. For rehearsals. */
export class AheadBook implements ScheduleBook {
  readonly #book: ScheduleBook;
  readonly #clock: { readonly aheadMs: number };

  constructor(book: ScheduleBook, clock: { readonly aheadMs: number }) {
    this.#book = book;
    this.#clock = clock;
  }

  async read(name: string): Promise<{ readonly now: number; readonly state: ScheduleState | undefined }> {
    const { now, state } = await this.#book.read(name);
    return { now: now + this.#clock.aheadMs, state };
  }

  declare(before: ScheduleState | undefined, after: ScheduleState): Promise<boolean> {
    return this.#book.declare(before, after);
  }

  // The time at which their jobs are added is the server's own, as that of all jobs.
  tick(schedules: readonly TickedSchedule[], now: number): Promise<ReadonlySet<string>> {
    return this.#book.tick(schedules, now - this.#clock.aheadMs);
  }

  run(state: ScheduleState, run: ScheduleRun): Promise<boolean> {
    return this.#book.run(state, { ...run, now: run.now - this.#clock.aheadMs });
  }

  remove(name: string): Promise<boolean> {
    return this.#book.remove(name);
  }

  pages(): () => Promise<readonly ScheduleState[] | undefined> {
    return this.#book.pages();
  }

  async due(): Promise<DueSchedules> {
    const there = await this.#book.due();
    const { aheadMs } = this.#clock;
    if (aheadMs === 0) return there;
    const now = there.now + aheadMs;
    const due: ScheduleState[] = [];
    let next = Infinity;
    const read = this.#book.pages();
    for (let page = await read(); page; page = await read()) {
      for (const state of page) {
        const at = dueAt(state);
        if (at === undefined) continue;
        if (at <= now) due.push(state);
        else next = Math.min(next, at);
      }
    }
    return { now, due, nextMs: next === Infinity ? there.nextMs : next - now };
  }
}
