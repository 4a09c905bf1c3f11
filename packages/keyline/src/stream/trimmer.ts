import { Alarm } from "../runtime/alarm.ts";
import type { Duty } from "../runtime/duty.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";

const everyMs = 30_000;
const firstWithinMs = 5_000;
const soonMs = 50;

/** Drops what retention does not keep: in time, and when this process has appended a tenth of what is kept. */
export class Trimmer implements Duty {
  readonly #trim: () => Promise<boolean>;
  readonly #share: number;
  readonly #details: { readonly stream: string; readonly logger: Logger };
  readonly #alarm = new Alarm(() => this.#run(), { mayEnd: true });
  #appended = 0;
  #isStopped = false;

  /** `trim` drops a page and returns true when there may be more to drop. */
  constructor(
    trim: () => Promise<boolean>,
    details: { readonly maxLength: number | undefined; readonly stream: string; readonly logger: Logger },
  ) {
    this.#trim = trim;
    this.#share = Math.max(1, Math.ceil((details.maxLength ?? Infinity) / 10));
    this.#details = details;
  }

  start(): void {
    this.#alarm.set(firstWithinMs * Math.random());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#alarm.stop();
  }

  noteAppended(entries: number): void {
    this.#appended += entries;
    if (this.#appended < this.#share) return;
    this.#appended = 0;
    this.#alarm.set(soonMs);
  }

  async #run(): Promise<void> {
    const { stream, logger } = this.#details;
    try {
      while (!this.#isStopped && (await this.#trim()));
    } catch (error) {
      logger.debug({ stream, error: toError(error).message }, "a stream could not be trimmed; it is tried again");
    }
    this.#alarm.set(everyMs);
  }
}
