import type { AddCheck } from "../add/add-check.ts";
import { JobOperations } from "../jobs/job-operations.ts";
import type { QueueParts } from "../queue-parts.ts";
import type { ScheduleOptions } from "./schedule-spec.ts";
import type { Schedule } from "./schedule-state.ts";
import { Schedules, type ScheduleList } from "./schedules.ts";

/** What can be asked of the schedules of a queue, and done to them. */
export abstract class ScheduleOperations<Input> extends JobOperations<Input> {
  readonly #parts: QueueParts;
  readonly #schedules: Schedules<Input>;
  #letGo: (() => void) | undefined;

  protected constructor(parts: QueueParts, check: AddCheck<Input>) {
    super(parts, check);
    this.#parts = parts;
    this.#schedules = new Schedules(parts.scheduleBook, check);
  }

  /**
   * Declares a schedule: at each of its times one job is added, as long as the queue has a worker. Declaring it again in the same way changes nothing, so
   * every process may declare it whenever it starts; another declaration under the same name replaces it, for all processes.
   *
   * Throws, before anything is written, INVALID_NAME, INVALID_OPTION, and for the data what `add` throws; and the same as `add` when the store cannot be
   * reached: the same call can be made again.
   *
   * @example
   * await reports.schedule("nightly", { cron: "0 3 * * *", timezone: "Europe/Berlin", data: { kind: "sales" } });
   */
  schedule(name: string, options: ScheduleOptions<Input>): Promise<Schedule<Input>> {
    return this.#parts.door.accept(() => {
      // Its times may be far apart: the queue is in use as long as somebody is here who wants them.
      this.#letGo ??= this.#parts.sighting.hold();
      return this.#schedules.declare(name, options);
    });
  }

  /**
   * The queue's schedules by their names, those included whose last tick was made: an array when it is awaited; `for await` goes through them too.
   *
   * @example
   * for (const { name, nextAt } of await reports.schedules()) console.log(name, nextAt);
   */
  schedules(): ScheduleList<Input> {
    this.#parts.door.check();
    return this.#schedules.list();
  }

  /** Ends a schedule: it has no more ticks. The jobs of those it had stay. Returns false when there was none of that name. */
  unschedule(name: string): Promise<boolean> {
    return this.#parts.door.accept(() => this.#schedules.remove(name));
  }

  /**
   * Keeps a schedule from making ticks until `resumeSchedule`, for all processes, whatever they declare. Returns false when there is none of that name. Throws INVALID_NAME, VALKEY_UNAVAILABLE and,
   * for a transactional queue, POSTGRES_UNAVAILABLE: the same call can be made again.
   *
   * @example
   * await reports.pauseSchedule("nightly");
   */
  pauseSchedule(name: string): Promise<boolean> {
    return this.#accept(() => this.#schedules.pause(name, true));
  }

  /** Ends the pause of a schedule. What was due meanwhile counts as missed: its `missed` says what becomes of it. Returns false when there is none of that name. */
  resumeSchedule(name: string): Promise<boolean> {
    return this.#accept(() => this.#schedules.pause(name, false));
  }

  /**
   * Adds a job as a tick of the schedule adds one, now, also while it is paused; its own ticks stay as they are. Rejects with UNKNOWN_SCHEDULE when there is none of that name, and as `add` does when the
   * store cannot be reached.
   *
   * @example
   * const { id } = await reports.runSchedule("nightly");
   */
  runSchedule(name: string): Promise<{ readonly id: string }> {
    return this.#accept(() => this.#schedules.run(name));
  }

  #accept<Answer>(act: () => Promise<Answer>): Promise<Answer> {
    return this.#parts.door.accept(() => {
      this.#parts.sighting.touch();
      return act();
    });
  }
}
