import { KeylineError, toError } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import type { Logger } from "../../runtime/logger.ts";
import { isAnswerLost } from "../../postgres/client/failures.ts";
import { nameRefused } from "../../postgres/client/refused-data.ts";
import type { RowBefore, ScheduleRow, ScheduleTable } from "../../postgres/job/schedule-table.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { encodeElement } from "../element.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import type { DueSchedules, ScheduleBook, ScheduleRun, TickedSchedule } from "./schedule-book.ts";
import { dueAt, tickId, type ScheduleState } from "./schedule-state.ts";
import type { ScheduleSpec } from "./schedule-times.ts";

const duePage = 20;
const listPage = 50;
// Whoever declares a schedule may end, or be cut off from Valkey, before it has told the workers.
const lookAgainMs = 60_000;

/** The schedules of a transactional queue, in PostgreSQL. Workers hear by Valkey what was declared; all else they know of the table. */
export class TransactionalScheduleBook implements ScheduleBook {
  readonly #table: ScheduleTable;
  readonly #outlet: JobOutlet;
  readonly #store: QueueStore;
  readonly #queue: string;
  readonly #logger: Logger;
  /** Workers could not be told of a declaration. */
  #owesSignal = false;

  constructor(
    table: ScheduleTable,
    {
      outlet,
      store,
      queue,
      logger,
    }: { readonly outlet: JobOutlet; readonly store: QueueStore; readonly queue: string; readonly logger: Logger },
  ) {
    this.#table = table;
    this.#outlet = outlet;
    this.#store = store;
    this.#queue = queue;
    this.#logger = logger;
    store.connection.onReady(() => void (this.#owesSignal && this.#signal()));
  }

  async read(name: string): Promise<{ readonly now: number; readonly state: ScheduleState | undefined }> {
    if (!this.#outlet.isChecked) await this.#outlet.check({ isInTransaction: false });
    const { now, row } = await this.#table.read(name);
    return { now, state: row && toState(row) };
  }

  async declare(before: ScheduleState | undefined, after: ScheduleState): Promise<boolean> {
    const row = { ...toRow(after), spec: JSON.stringify(after.spec), data: after.dataJson, declared_at: after.since };
    const isWritten = await this.#table.write(before && toRow(before), row).catch((error: unknown) => {
      throw nameRefused(error, `schedule ${after.name} of queue ${this.#queue}`, { data: after.dataJson });
    });
    if (isWritten) await this.#signal();
    return isWritten;
  }

  async tick(schedules: readonly TickedSchedule[], now: number): Promise<ReadonlySet<string>> {
    const rows = schedules.map(({ before, after, ticks }) => {
      const jobs = ticks.map((tick) => ({ id: tickId(tick), schedule: JSON.stringify(tick), dataJson: before.dataJson }));
      return { ...toRow(after), before: toRow(before), jobs };
    });
    const { names, ids } = await this.#table.tick(rows);
    const added = new Set(ids);
    const jobs = rows.flatMap((row) => row.jobs.filter(({ id }) => added.has(id)));
    // What is lost on the way from here the relay brings.
    this.#outlet.pushCommitted(jobs.map((job) => ({ id: job.id, element: encodeElement({ ...job, at: now }) })));
    return new Set(names);
  }

  async run({ name, revision, dataJson }: ScheduleState, { id, tick, now }: ScheduleRun): Promise<boolean> {
    const schedule = JSON.stringify(tick);
    try {
      if (!(await this.#table.run(name, revision, { id, schedule }))) return false;
    } catch (error) {
      if (!isAnswerLost(error)) throw error;
      const message = `PostgreSQL did not answer when schedule ${name} of queue ${this.#queue} was run: its job is added, or it is not. Another call may add another job`;
      throw new KeylineError("OUTCOME_UNKNOWN", message, { cause: error });
    }
    this.#outlet.pushCommitted([{ id, element: encodeElement({ id, dataJson, at: now, schedule }) }]);
    return true;
  }

  remove(name: string): Promise<boolean> {
    return this.#table.remove(name);
  }

  pages(): () => Promise<readonly ScheduleState[] | undefined> {
    let last = "";
    return async () => {
      const rows = await this.#table.page(last, listPage);
      last = rows.at(-1)?.name ?? last;
      return rows.length > 0 ? rows.map(toState) : undefined;
    };
  }

  async due(): Promise<DueSchedules> {
    // Who has to wait anyway does not knock at the door meanwhile.
    if (!this.#table.database.isAvailable) throw new Error("PostgreSQL is away");
    const { now, rows } = await this.#table.next(duePage);
    const isDue = ({ next_at }: ScheduleRow): boolean => next_at !== null && next_at <= now;
    const due = rows.filter(isDue).map(toState);
    const next = rows.find((row) => !isDue(row))?.next_at ?? Infinity;
    return { now, due, nextMs: Math.min(lookAgainMs, next - now) };
  }

  async #signal(): Promise<void> {
    try {
      await this.#store.signals.tell("ticks");
      this.#owesSignal = false;
    } catch (error) {
      this.#owesSignal = true;
      this.#logger.debug({ error: toError(error).message, queue: this.#queue }, "workers could not be told of a schedule yet");
    }
  }
}

function toRow(state: ScheduleState): Omit<ScheduleRow, "spec" | "data" | "declared_at"> & RowBefore {
  const { name, revision, nextAt, paused, lastAt, ticks } = state;
  const waitingAt = paused ? (nextAt ?? null) : null;
  return { name, revision, next_at: dueAt(state) ?? null, paused, waiting_at: waitingAt, last_at: lastAt ?? null, ticks };
}

function toState(row: ScheduleRow): ScheduleState {
  const { name, revision, spec, data, declared_at, next_at, waiting_at, last_at, ticks } = row;
  // An older version of the library, which knows no pauses, may have declared it anew.
  const paused = row.paused && next_at === null;
  return {
    name,
    revision,
    nextAt: (paused ? waiting_at : next_at) ?? undefined,
    paused,
    lastAt: last_at ?? undefined,
    ticks,
    since: declared_at,
    spec: parseJson(spec) as ScheduleSpec,
    dataJson: data,
  };
}
