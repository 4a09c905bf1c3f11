import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { DeadTable } from "../../postgres/job/dead-table.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { LetterRetention } from "../../valkey/queue/letters.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

const page = 200;
const longestPauseMs = 60_000;

interface LetterKeeperSetup {
  /** Only on a transactional queue. */
  readonly letters: DeadTable | undefined;
  readonly kept: LetterRetention;
  readonly logger: Logger;
}

/**
 * The duty that drops dead letters which are too old or too many, once a minute and page by page. On Valkey their number is also held down when one is
 * written: bury.lua.
 */
export class LetterKeeper implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #store: QueueStore;
  readonly #setup: LetterKeeperSetup;
  readonly #pauseMs: number;
  readonly #alarm = new Alarm(() => this.#drop());
  #isStopped = false;

  constructor(store: QueueStore, setup: LetterKeeperSetup) {
    this.#store = store;
    this.#setup = setup;
    // A letter may outlive its time by a tenth of it.
    this.#pauseMs = Math.min(longestPauseMs, Math.max(100, Math.round(setup.kept.maxAgeMs / 10)));
  }

  start(): void {
    this.#alarm.set(this.#pauseMs);
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#alarm.stop();
  }

  async #drop(): Promise<void> {
    const { letters, kept } = this.#setup;
    this.#alarm.set(this.#pauseMs);
    await this.#try(() => this.#dropPages(() => this.#store.letters.drop(kept, page)));
    if (letters) await this.#try(async () => (await letters.mayLook(this.#pauseMs)) && this.#dropPages(() => letters.drop(kept, page)));
  }

  async #dropPages(drop: () => Promise<number>): Promise<void> {
    for (let dropped = page; dropped === page && !this.#isStopped;) dropped = await drop();
  }

  // One store may be away, and the other one not.
  async #try(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const details = { error: toError(error).message };
      this.#setup.logger.debug(details, "dead letters that are not kept could not be dropped; it is tried again");
    }
  }
}
