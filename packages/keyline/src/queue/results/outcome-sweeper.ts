import type { OutcomeTable } from "../../postgres/job/outcome-table.ts";
import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Duty } from "../../runtime/duty.ts";

const pauseMs = 60_000;

/** The duty that forgets what became of jobs when its time is over, once a minute and page by page: of all queues, whichever process comes first. */
export class OutcomeSweeper implements Duty {
  readonly #table: OutcomeTable;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#sweep());
  #isStopped = false;

  constructor(table: OutcomeTable, logger: Logger) {
    this.#table = table;
    this.#logger = logger;
  }

  start(): void {
    // Not all of them at the same time.
    this.#alarm.set(pauseMs * (0.5 + Math.random()));
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#alarm.stop();
  }

  async #sweep(): Promise<void> {
    this.#alarm.set(pauseMs);
    try {
      while ((await this.#table.sweep()) && !this.#isStopped);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "results whose time is over could not be forgotten; it is tried again");
    }
  }
}
