import type { CancelledRows } from "../../postgres/job/cancelled-rows.ts";
import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

const pauseMs = 60_000;
const page = 500;

/**
 * The duty that removes rows of jobs that were cancelled: of those that ran here when they have ended, and once a minute, page by page, those whose call or worker
 * did not come to do it.
 */
export class CancelledRowKeeper implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #rows: CancelledRows;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#look());
  readonly #forgetting = new Set<Promise<void>>();
  #isStopped = false;

  constructor(rows: CancelledRows, logger: Logger) {
    this.#rows = rows;
    this.#logger = logger;
  }

  start(): void {
    // Workers of many processes do not look at the same moment.
    this.#alarm.set(pauseMs * (0.5 + Math.random()));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#alarm.stop();
    await Promise.all(this.#forgetting);
  }

  /** Its job was cancelled while it ran, and has ended: its id can be used again. */
  noteEnded({ element, isCancelled }: HeldJob<unknown>): void {
    if (!element || !isCancelled) return;
    const forgetting = this.#rows
      .forget([element.id])
      .catch((error: unknown) => this.#noteFailure(error))
      .finally(() => this.#forgetting.delete(forgetting));
    this.#forgetting.add(forgetting);
  }

  async #look(): Promise<void> {
    this.#alarm.set(pauseMs);
    try {
      for (let count = page; count === page && !this.#isStopped;) count = await this.#rows.forgetLeftOver(pauseMs, page);
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  #noteFailure(error: unknown): void {
    this.#logger.debug({ error: toError(error).message }, "rows of cancelled jobs could not be removed; it is tried again");
  }
}
