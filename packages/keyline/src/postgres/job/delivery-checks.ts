import { Alarm } from "../../runtime/alarm.ts";
import { performance } from "../../runtime/clock.ts";
import type { Duty } from "../../runtime/duty.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { checkDeliveries } from "./delivery-check.ts";
import type { Outlet } from "./outlet.ts";

/** Notes of deliveries may be so late. */
const notesMs = 5_000;
const lookAgainMs = 5_000;

/** A memory whose deliveries are to be checked. */
interface Unchecked {
  readonly outlet: Outlet;
  readonly epoch: string;
  readonly dueAt: number;
}

/**
 * When the deliveries to a new memory are checked: two leases after it was rebuilt. A worker whose lease was lost with the old memory takes jobs for less than one, until it
 * notices, and has another one by then, or is gone. One queue after the other, as each check holds a connection.
 */
export class DeliveryChecks implements Duty {
  readonly #logger: Logger;
  readonly #onMissing: () => void;
  /** The lease of each queue's workers, in milliseconds. */
  readonly #leases = new Map<string, number>();
  readonly #unchecked = new Map<string, Unchecked>();
  readonly #alarm = new Alarm(() => this.#look(), { mayEnd: true });
  readonly #stopping = new AbortController();

  /** Calls `onMissing` when jobs are undelivered again. */
  constructor(logger: Logger, onMissing: () => void) {
    this.#logger = logger;
    this.#onMissing = onMissing;
  }

  add(queue: string, leaseMs: number): void {
    this.#leases.set(queue, leaseMs);
  }

  start(): void {
    // It is told of rebuilds.
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    return this.#alarm.stop();
  }

  /** This memory is rebuilt. */
  follow(outlet: Outlet, epoch: string): void {
    const { queue } = outlet.table;
    this.#unchecked.set(queue, { outlet, epoch, dueAt: performance.now() + this.#patienceOf(queue) });
    this.#arm();
  }

  /** PostgreSQL was away: what was delivered meanwhile is noted from now on. */
  postpone(): void {
    for (const { outlet, epoch } of this.#unchecked.values()) this.follow(outlet, epoch);
  }

  #patienceOf(queue: string): number {
    return 2 * (this.#leases.get(queue) ?? 0) + notesMs;
  }

  #arm(): void {
    if (this.#unchecked.size === 0 || this.#stopping.signal.aborted) return;
    this.#alarm.set(Math.max(0, Math.min(...[...this.#unchecked.values()].map(({ dueAt }) => dueAt)) - performance.now()));
  }

  async #look(): Promise<void> {
    const now = performance.now();
    for (const [queue, unchecked] of this.#unchecked) {
      if (unchecked.dueAt > now || this.#stopping.signal.aborted) continue;
      this.#unchecked.delete(queue);
      const againMs = await this.#check(unchecked);
      if (againMs !== undefined && !this.#unchecked.has(queue))
        this.#unchecked.set(queue, { ...unchecked, dueAt: performance.now() + againMs });
    }
    this.#arm();
  }

  /** Returns after how many milliseconds it is to be done again. */
  async #check({ outlet, epoch }: Unchecked): Promise<number | undefined> {
    const { queue } = outlet.table;
    try {
      const { isDone, missing } = await checkDeliveries(outlet, epoch, this.#stopping.signal);
      if (missing > 0) {
        this.#logger.warn(
          { queue, jobs: missing },
          "workers that Valkey had forgotten are gone; the jobs that they had taken are delivered again",
        );
        this.#onMissing();
      }
      return isDone ? undefined : lookAgainMs;
    } catch (error) {
      this.#logger.debug({ error: toError(error).message, queue }, "the deliveries to Valkey's new memory could not be checked yet");
      // PostgreSQL may have been away.
      return this.#patienceOf(queue);
    }
  }
}
