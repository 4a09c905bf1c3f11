import { performance } from "../../runtime/clock.ts";
import type { ShiftCounts } from "../../runtime/counters.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Rescue } from "../../work/rescue.ts";
import type { JobTable } from "../../postgres/job/job-table.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Lease } from "../../work/lease.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { HeldJob } from "./held-jobs.ts";
import { workerGoneNow } from "./attempt-history.ts";
import { readHead } from "../element.ts";

const page = 200;
const stragglersEveryMs = 60_000;
// A move that was under way when its worker's lease ended arrives within the life of a broken connection, or never.
const rememberGoneMs = 3_600_000;

/**
 * The duty that returns the jobs of workers whose lease has ended to the head of the queue, with one more attempt counted. Workers
 * learn of such a lease with every renewal of their own, so nobody polls for it.
 */
export class Rescuer implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #store: QueueStore;
  readonly #table: JobTable | undefined;
  readonly #lease: Lease<Beat>;
  readonly #counts: ShiftCounts;
  readonly #logger: Logger;
  readonly #rescue: Rescue;
  #nextStragglers = performance.now() + stragglersEveryMs;

  constructor(
    store: QueueStore,
    {
      table,
      lease,
      counts,
      logger,
    }: { readonly table: JobTable | undefined; readonly lease: Lease<Beat>; readonly counts: ShiftCounts; readonly logger: Logger },
  ) {
    this.#store = store;
    this.#table = table;
    this.#lease = lease;
    this.#counts = counts;
    this.#logger = logger;
    this.#rescue = new Rescue(logger);
  }

  start(): void {
    this.#rescue.start();
  }

  stop(): Promise<void> {
    return this.#rescue.stop();
  }

  /** Looks after a worker whose lease has ended, and now and then after what was late. */
  follow({ ended: endedWorker = "" }: Beat): void {
    const isTimeForStragglers = performance.now() >= this.#nextStragglers;
    if (this.#rescue.isBusy || (endedWorker === "" && !isTimeForStragglers)) return;
    if (isTimeForStragglers) this.#nextStragglers = performance.now() + stragglersEveryMs;
    const work = async (): Promise<void> => {
      if (endedWorker !== "") await this.#returnAll(endedWorker, "ended");
      if (isTimeForStragglers) await this.#returnStragglers();
    };
    // There may be another one.
    this.#rescue.begin(work, () => {
      if (endedWorker !== "") void this.#lease.confirm();
    });
  }

  async #returnStragglers(): Promise<void> {
    for (const worker of await this.#store.leases.goneWorkers(rememberGoneMs)) {
      if ((await this.#store.leases.heldCount(worker)) > 0) await this.#returnAll(worker, "straggler");
    }
  }

  async #returnAll(worker: string, reason: "ended" | "straggler"): Promise<void> {
    for (let left = 1, total = 0; left > 0;) {
      // Noted before the jobs are returned: their next attempts may begin at once.
      const gone = JSON.stringify(workerGoneNow());
      // Read before it too, so that it is never newer than the memory that they are in.
      const epoch = this.#table ? ((await this.#store.memory.writtenEpoch()) ?? "") : "";
      const answer = await this.#store.leases.returnHeld(worker, page, reason);
      if (!answer) return;
      ({ left } = answer);
      total += answer.returned.length;
      this.#counts.rescued += answer.returned.length;
      const heads = answer.returned.map(readHead).filter((head) => head !== undefined);
      // The row keeps the count when Valkey does not. Should this process die before, the element still has it.
      if (this.#table && heads.length > 0) await this.#table.failed.raiseAttempts(heads, { epoch, gone });
      if (left === 0 && total > 0)
        this.#logger.warn({ worker, jobs: total }, "a worker's lease ended; its jobs are at the head of the queue again");
    }
  }
}
