import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";

/** The rescues of a worker or a consumer: one at a time. */
export class Rescue {
  readonly #logger: Logger;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** None can begin now: one is under way, or they were stopped. */
  get isBusy(): boolean {
    return this.#isStopped || this.#running !== undefined;
  }

  start(): void {
    this.#isStopped = false;
  }

  /** Lets none begin any more. Resolves when the one that is under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Runs `work`, then `whenDone`. One that breaks off is left for the next renewal of the lease: at once it would break off again. */
  begin(work: () => Promise<void>, whenDone: () => void): void {
    this.#running = this.#try(work).then((isDone) => {
      this.#running = undefined;
      if (isDone && !this.#isStopped) whenDone();
    });
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#logger.warn({ error: toError(error).message }, "a rescue broke off; it goes on with the next renewal");
      return false;
    }
  }
}
