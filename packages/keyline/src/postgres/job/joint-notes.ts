/*
 * DESIGN. A note for each job costs as much as its end. So the jobs of a large family are added as noted already, under the number of a row in `keyline.delivery`, which says that they are
 * not delivered yet. When all of them are pushed that one row goes, under the same condition as any note: the epoch that was read before the push is in charge.
 *
 * - As long as the row is there nobody counts on the push: `release` makes them rows that are not delivered, which the relay brings.
 * - Once it is gone they were delivered to an epoch that was in charge. Their own mark is no epoch, so each rebuild looks at them.
 * - A rebuild that comes before passes them over, as it does with all that is not noted: their note finds another epoch in charge, or names the one that the rebuild is for.
 *
 * _The process dies before all are pushed, or before that is noted:_ the relay of any process finds the row again and again, and releases it. _A push fails:_ this process releases it at once.
 */
import { Alarm } from "../../runtime/alarm.ts";
import { performance } from "../../runtime/clock.ts";
import type { Duty } from "../../runtime/duty.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retryDelay } from "../../runtime/waiting.ts";
import { Delivery } from "./delivery.ts";
import type { DeliveryTable } from "./delivery-table.ts";

interface Note {
  readonly epoch: string;
  readonly since: number;
}

const noteEveryMs = 100;
/** An epoch that is not in charge by then is an old one. */
const patienceMs = 2_000;

/** Notes in PostgreSQL of jobs that were added together that all of them are delivered. */
export class JointNotes implements Duty {
  readonly #table: DeliveryTable;
  readonly #logger: Logger;
  /** On their way, or to be noted. */
  readonly #ours = new Set<string>();
  readonly #notes = new Map<string, Note>();
  readonly #lost = new Set<string>();
  #failures = 0;
  readonly #alarm = new Alarm(() => this.#write());

  constructor(table: DeliveryTable, logger: Logger) {
    this.#table = table;
    this.#logger = logger;
  }

  start(): void {
    // It is told of deliveries.
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    await this.#alarm.stop();
    await this.#write();
  }

  /** The jobs of a delivery are about to be pushed. */
  begin(id: string, count: number): Delivery {
    this.#ours.add(id);
    return new Delivery(count, (epoch) => {
      if (epoch === undefined) this.release(id);
      else this.#notes.set(id, { epoch, since: performance.now() });
      this.#alarm.set(noteEveryMs);
    });
  }

  /** Nobody is known to have pushed all of its jobs: they are left to the relay. */
  release(id: string): void {
    this.#lost.add(id);
    this.#alarm.set(0);
  }

  /** True for one that is on its way from here, or about to be noted. */
  has(id: string): boolean {
    return this.#ours.has(id) && !this.#lost.has(id);
  }

  async #write(): Promise<void> {
    try {
      if (this.#table.database.isAvailable) {
        await this.#writeAll();
        this.#failures = 0;
      } else this.#failures++;
    } catch (error) {
      this.#failures++;
      this.#logger.debug({ error: toError(error).message, queue: this.#table.queue }, "deliveries could not be noted together yet");
    }
    if (this.#notes.size + this.#lost.size > 0) this.#alarm.set(retryDelay(this.#failures, { first: noteEveryMs, max: 5_000 }));
  }

  async #writeAll(): Promise<void> {
    for (const [epoch, notes] of Map.groupBy(this.#notes, ([, note]) => note.epoch)) {
      const isInCharge = await this.#table.note(
        epoch,
        notes.map(([id]) => id),
      );
      for (const [id, { since }] of notes) {
        // At the start of a queue its epoch may not be in charge yet.
        if (!isInCharge && performance.now() - since < patienceMs) continue;
        this.#notes.delete(id);
        if (isInCharge) this.#ours.delete(id);
        else this.#lost.add(id);
      }
    }
    for (const id of this.#lost) {
      await this.#table.release(id);
      this.#ours.delete(id);
      this.#lost.delete(id);
    }
  }
}
