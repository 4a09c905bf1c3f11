import { KeylineError } from "../../runtime/errors.ts";
import { newId } from "../../runtime/ids.ts";
import { parseJson } from "../../runtime/json.ts";
import type { AddCheck } from "../add/add-check.ts";
import type { ScheduleBook } from "./schedule-book.ts";
import { checkScheduleName, toScheduleSpec, type ScheduleOptions } from "./schedule-spec.ts";
import { declared, withPause, type Schedule, type ScheduleState } from "./schedule-state.ts";
import { asRead } from "../../valkey/client/as-read.ts";

/** All schedules of a queue: an array when it is awaited; `for await` goes through them too. */
export type ScheduleList<Input> = Promise<Schedule<Input>[]> & AsyncIterable<Schedule<Input>>;

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
      const { now, state } = await asRead(this.#book.read(name));
      const after = declared(state, { name, spec, dataJson, now });
      if (after === state || (await this.#book.declare(state, after))) return toSchedule<Input>(after);
    }
  }

  list(): ScheduleList<Input> {
    const all = this.#readAll();
    return Object.assign(all, {
      async *[Symbol.asyncIterator]() {
        yield* await all;
      },
    });
  }

  async #readAll(): Promise<Schedule<Input>[]> {
    const read = this.#book.pages();
    const all: Schedule<Input>[] = [];
    for (let page = await asRead(read()); page; page = await asRead(read())) all.push(...page.map(toSchedule<Input>));
    return all;
  }

  /** False when there is none of that name. */
  async pause(name: string, paused: boolean): Promise<boolean> {
    checkScheduleName(name);
    for (;;) {
      const { state } = await asRead(this.#book.read(name));
      if (!state) return false;
      const after = withPause(state, paused);
      if (after === state || (await this.#book.declare(state, after))) return true;
    }
  }

  async run(name: string): Promise<{ readonly id: string }> {
    checkScheduleName(name);
    for (;;) {
      const { now, state } = await asRead(this.#book.read(name));
      if (!state) throw new KeylineError("UNKNOWN_SCHEDULE", `There is no schedule ${name}: schedules() lists those that there are`);
      // No id of a tick, which ends with its time.
      const id = `${name}:${newId()}`;
      if (await this.#book.run(state, { id, tick: { name, at: now }, now })) return { id };
    }
  }

  async remove(name: string): Promise<boolean> {
    return this.#book.remove(checkScheduleName(name));
  }
}

function toSchedule<Data>({ name, spec, dataJson, nextAt, paused, lastAt, ticks }: ScheduleState): Schedule<Data> {
  const { cron, timezone, every, startAt, endAt, limit, missed } = spec;
  const data = parseJson(dataJson) as Data;
  return { name, cron, timezone, every, data, startAt, endAt, limit, missed, nextAt, paused, lastAt, ticks };
}
