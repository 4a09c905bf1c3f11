import type { Duty } from "../../runtime/duty.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { GroupLog } from "../../valkey/group-log.ts";

const page = 200;
const sweepEveryMs = 60_000;

/**
 * The duty that has the entries of consumers whose lease has ended handed out again. Consumers learn of such a lease with every renewal of
 * their own, so nobody polls for it. Of a stream with keys it also looks, once a minute, after lines that stand still, and has it read again
 * what this consumer has.
 */
export class Rescuer implements Duty {
  readonly #log: GroupLog;
  readonly #logger: Logger;
  readonly #onSwept: () => void;
  #rescuing: Promise<void> | undefined;
  #nextSweep = performance.now() + sweepEveryMs;
  #isStopped = false;

  constructor(log: GroupLog, { logger, onSwept }: { readonly logger: Logger; readonly onSwept: () => void }) {
    this.#log = log;
    this.#logger = logger;
    this.#onSwept = onSwept;
  }

  start(): void {
    this.#isStopped = false;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#rescuing;
  }

  /** Looks after what a renewal showed: the name of a consumer that is gone, or "". */
  notice(goneConsumer: string, whenDone: () => void): void {
    const isTimeToSweep = this.#log.hasKeys && performance.now() >= this.#nextSweep;
    if (this.#isStopped || this.#rescuing || (goneConsumer === "" && !isTimeToSweep)) return;
    if (isTimeToSweep) this.#nextSweep = performance.now() + sweepEveryMs;
    this.#rescuing = this.#tryToRescue(goneConsumer, isTimeToSweep).then((isDone) => {
      this.#rescuing = undefined;
      // There may be another one that is gone. What broke off goes on with the next renewal: at once it would break off again.
      if (isDone && !this.#isStopped) whenDone();
    });
  }

  async #tryToRescue(consumer: string, withSweep: boolean): Promise<boolean> {
    try {
      await this.#rescue(consumer, withSweep);
      return true;
    } catch (error) {
      this.#logger.warn({ error: toError(error).message }, "a rescue broke off; it goes on with the next renewal");
      return false;
    }
  }

  async #rescue(consumer: string, withSweep: boolean): Promise<void> {
    if (consumer !== "") {
      for (let isMore = true, total = 0; isMore;) {
        const answer = await this.#log.rescue(consumer, page, "ended");
        if (!answer) return;
        ({ isMore } = answer);
        total += answer.moved;
        if (!isMore && total > 0)
          this.#logger.warn({ consumer, entries: total, group: this.#log.name }, "a consumer is gone; its entries are handed out again");
      }
    }
    if (!withSweep) return;
    if ((await this.#log.sweep(sweepEveryMs, page)) > 0)
      this.#logger.warn({ group: this.#log.name }, "a line of entries stood still; it goes on");
    this.#onSwept();
  }
}
