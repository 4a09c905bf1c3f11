import type { Duty } from "../runtime/duty.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { QueueLists } from "../valkey/queue-lists.ts";

const page = 100;

/**
 * The duty that moves jobs whose time has come from the schedule to the queue. It sleeps until the next one is due, which it
 * learns from every renewal of the lease and from every retry of this process, so nobody polls for it.
 */
export class Scheduler implements Duty {
  readonly #lists: QueueLists;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  #promoting: Promise<void> | undefined;
  #isStopped = false;

  constructor(lists: QueueLists, logger: Logger) {
    this.#lists = lists;
    this.#logger = logger;
  }

  start(): void {
    this.#isStopped = false;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#promoting;
  }

  /** A job is due in `ms` milliseconds; negative: none is scheduled. */
  expect(ms: number): void {
    const dueAt = performance.now() + ms;
    // Timers take at most 2^31 ms; a job that is due later is heard of again.
    if (ms < 0 || ms > 86_400_000 || this.#isStopped || dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake(), ms);
  }

  #wake(): void {
    this.#dueAt = Infinity;
    this.#promoting = this.#promote().finally(() => (this.#promoting = undefined));
  }

  async #promote(): Promise<void> {
    try {
      let next = 0;
      while (next === 0 && !this.#isStopped) next = await this.#lists.promote(page);
      this.expect(next);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "due jobs could not be moved; the next renewal says so again");
    }
  }
}
