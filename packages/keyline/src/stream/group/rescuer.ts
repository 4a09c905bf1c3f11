import { performance } from "../../runtime/clock.ts";
import type { ShiftCounts } from "../../runtime/counters.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Rescue } from "../../work/rescue.ts";
import { GroupLeases, type GroupBeat } from "../../valkey/stream/group-leases.ts";
import type { GroupLog } from "../../valkey/stream/group-log.ts";
import type { Lease } from "../../work/lease.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";

const page = 200;
const sweepEveryMs = 60_000;

/**
 * The duty that has the entries of consumers whose lease has ended handed out again. Consumers learn of such a lease with every renewal of
 * their own, so nobody polls for it. Of a stream with keys it also looks, once a minute, after lines that stand still, and has it read again
 * what this consumer has.
 */
export class Rescuer implements ShiftDuty<unknown, GroupBeat> {
  readonly #log: GroupLog;
  readonly #leases: GroupLeases;
  readonly #logger: Logger;
  readonly #lease: Lease<GroupBeat>;
  readonly #counts: ShiftCounts;
  readonly #onSwept: () => void;
  readonly #rescue: Rescue;
  #nextSweep = performance.now() + sweepEveryMs;

  constructor(
    log: GroupLog,
    {
      logger,
      lease,
      counts,
      onSwept,
    }: { readonly logger: Logger; readonly lease: Lease<GroupBeat>; readonly counts: ShiftCounts; readonly onSwept: () => void },
  ) {
    this.#log = log;
    this.#leases = new GroupLeases(log);
    this.#lease = lease;
    this.#counts = counts;
    this.#logger = logger;
    this.#onSwept = onSwept;
    this.#rescue = new Rescue(logger);
  }

  start(): void {
    this.#rescue.start();
  }

  stop(): Promise<void> {
    return this.#rescue.stop();
  }

  /** Looks after a consumer that is gone, and now and then after lines. */
  follow({ goneConsumer }: GroupBeat): void {
    const isTimeToSweep = this.#log.hasKeys && performance.now() >= this.#nextSweep;
    if (this.#rescue.isBusy || (goneConsumer === "" && !isTimeToSweep)) return;
    if (isTimeToSweep) this.#nextSweep = performance.now() + sweepEveryMs;
    const work = async (): Promise<void> => {
      if (goneConsumer !== "") await this.#handOutAgain(goneConsumer);
      if (isTimeToSweep) await this.#sweep();
    };
    // There may be another one that is gone.
    this.#rescue.begin(work, () => void this.#lease.confirm());
  }

  async #handOutAgain(consumer: string): Promise<void> {
    for (let isMore = true, total = 0; isMore;) {
      const answer = await this.#leases.rescue(consumer, page, "ended");
      if (!answer) return;
      ({ isMore } = answer);
      total += answer.moved;
      this.#counts.rescued += answer.moved;
      if (!isMore && total > 0)
        this.#logger.warn({ consumer, entries: total, group: this.#log.name }, "a consumer is gone; its entries are handed out again");
    }
  }

  async #sweep(): Promise<void> {
    if ((await this.#leases.sweep(sweepEveryMs, page)) > 0)
      this.#logger.warn({ group: this.#log.name }, "a line of entries stood still; it goes on");
    this.#onSwept();
  }
}
