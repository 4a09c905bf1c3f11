import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { HeldJob } from "./held-jobs.ts";
import { earlyRestMs } from "./turns.ts";

const page = 100;
// As many pages before others of this process have their turn.
const pagesAtOnce = 20;
// Timers take at most 2^31 ms; a job that is due later is heard of again.
const farAwayMs = 86_400_000;

/**
 * The duty that moves jobs whose time has come from the schedule to the queue. It sleeps until the next one is due, which it
 * learns from every renewal of the lease and from every retry of this process, so nobody polls for it.
 */
export class Promoter implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #store: QueueStore;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#promote());

  constructor(store: QueueStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  start(): void {
    // It is told when something is due.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  follow({ due = -1 }: Beat): void {
    this.#expect(due);
  }

  noteEnded({ verdict, restMs }: HeldJob<unknown>): void {
    if (verdict?.kind === "retry") this.#expect(verdict.delayMs);
    if (verdict?.kind === "yield") this.#expect(restMs ?? earlyRestMs);
  }

  /** Something may be due earlier than was known. */
  look(): void {
    this.#alarm.set(0);
  }

  /** A job is due in `ms` milliseconds; negative: none is scheduled. */
  #expect(ms: number): void {
    if (ms >= 0 && ms <= farAwayMs) this.#alarm.set(ms);
  }

  async #promote(): Promise<void> {
    try {
      let dueMs = await this.#store.schedule.promote(page);
      for (let pages = 1; dueMs === 0 && pages < pagesAtOnce; pages += 1) dueMs = await this.#store.schedule.promote(page);
      this.#expect(dueMs);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "due jobs could not be moved; the next renewal says so again");
    }
  }
}
