import type { Duty } from "../runtime/duty.ts";
import type { Logger } from "../runtime/logger.ts";
import { toError } from "../runtime/errors.ts";
import type { JobTable } from "./job-table.ts";

const markEveryMs = 100;
const page = 1_000;

/**
 * Notes in PostgreSQL, late and in bulk, which jobs were delivered to which epoch. A job that is settled before its turn costs no
 * update. What is not noted because this process dies is delivered again by the relay, and the settle drops the second copy.
 */
export class Marker implements Duty {
  readonly #table: JobTable;
  readonly #logger: Logger;
  readonly #epochs = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(table: JobTable, logger: Logger) {
    this.#table = table;
    this.#logger = logger;
  }

  start(): void {
    this.#isStopped = false;
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#writing;
    if (this.#table.database.isAvailable) await this.#write();
    this.#epochs.clear();
  }

  note(epoch: string, ids: Iterable<string>): void {
    for (const id of ids) this.#epochs.set(id, epoch);
    this.#schedule();
  }

  /** The job was settled here: nothing is left to note. */
  forget(id: string): void {
    this.#epochs.delete(id);
  }

  /** True for a job that is about to be noted. */
  has(id: string): boolean {
    return this.#epochs.has(id);
  }

  #schedule(): void {
    if (this.#timer || this.#isStopped || this.#epochs.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#writing = this.#write().finally(() => {
        this.#timer = undefined;
        this.#schedule();
      });
    }, markEveryMs);
  }

  async #write(): Promise<void> {
    if (!this.#table.database.isAvailable) return;
    const byEpoch = Map.groupBy(this.#epochs, ([, epoch]) => epoch);
    for (const [epoch, entries] of byEpoch) {
      for (let first = 0; first < entries.length; first += page) {
        const ids = entries.slice(first, first + page).map(([id]) => id);
        try {
          await this.#table.mark(epoch, ids);
        } catch (error) {
          this.#logger.debug({ error: toError(error).message, queue: this.#table.queue }, "deliveries could not be noted yet");
          return;
        }
        for (const id of ids) if (this.#epochs.get(id) === epoch) this.#epochs.delete(id);
      }
    }
  }
}
