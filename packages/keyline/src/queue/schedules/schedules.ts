import { Iteration } from "../../runtime/iteration.ts";
import { parseJson } from "../../runtime/json.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import type { AddCheck } from "../add/add-check.ts";
import type { ScheduleBook } from "./schedule-book.ts";
import { checkScheduleName, toScheduleSpec, type ScheduleOptions } from "./schedule-spec.ts";
import { declared, type Schedule, type ScheduleState } from "./schedule-state.ts";

/** The schedules of one queue, as its users see them. */
export class Schedules<Input> {
  readonly #book: ScheduleBook;
  readonly #check: AddCheck<Input>;

  constructor(book: ScheduleBook, check: AddCheck<Input>) {
    this.#book = book;
    this.#check = check;
  }

  async declare(name: string, options: ScheduleOptions<Input>): Promise<Schedule<Input>> {
    checkScheduleName(name);
    const spec = toScheduleSpec(options);
    const { dataJson } = await this.#check.check(options.data, {});
    for (;;) {
      const { now, state } = await this.#book.read(name);
      const after = declared(state, { name, spec, dataJson, now });
      if (after === state || (await this.#book.declare(state, after))) return toSchedule<Input>(after);
    }
  }

  list(): AsyncIterableIterator<Schedule<Input>> {
    const read = this.#book.pages();
    return new Iteration(new PagedSource(async () => (await read())?.map(toSchedule<Input>)));
  }

  async remove(name: string): Promise<boolean> {
    return this.#book.remove(checkScheduleName(name));
  }
}

function toSchedule<Data>({ name, spec, dataJson, nextAt, lastAt, ticks }: ScheduleState): Schedule<Data> {
  const { cron, timezone, every, startAt, endAt, limit, missed } = spec;
  const data = parseJson(dataJson) as Data;
  return { name, cron, timezone, every, data, startAt, endAt, limit, missed, nextAt, lastAt, ticks };
}
